"""Every codec by its name in an experiment: what a net's output means.

A codec has `channels`, the number of values that it wants of a net for each pixel, and two methods:

- `loss(out, L, ab)`: out (B, channels, h, w), linear; L (B, 1, H, W) in [0, 100]; ab (B, 2, H, W) in Lab units, H >= h
  and W >= w -> the color loss, a scalar;
- `decode(out, L)`: the color that `out` stands for, (B, 2, h, w) or (B, 2, H, W) in Lab units, float32.

One that predicts a distribution has `decodings`, the names of the ways to one color of it, `decoding`, the one in use,
and `seed`, from which the decoding "sample" draws. `differentiable` says whether `decode` passes a gradient on.
"""

from colorgan.codecs.axis_bins import AxisBins
from colorgan.codecs.bins import Bins
from colorgan.codecs.histograms import Histograms
from colorgan.codecs.regress import Regress

CODECS = {"regress": Regress, "bins": Bins, "axis_bins": AxisBins, "histograms": Histograms}
