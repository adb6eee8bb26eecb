"""The codecs, by the names that experiments use."""

from colorgan.codecs.axis_bins import AxisBins
from colorgan.codecs.bins import Bins
from colorgan.codecs.histograms import Histograms
from colorgan.codecs.regress import Regress

CODECS = {"regress": Regress, "bins": Bins, "axis_bins": AxisBins, "histograms": Histograms}
