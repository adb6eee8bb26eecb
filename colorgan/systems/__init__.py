"""The training systems, and the tables that map names in experiments to classes."""

from colorgan.codecs import CODECS
from colorgan.data.building import DATASETS
from colorgan.discriminators import DISCRIMINATORS
from colorgan.nets import NETS
from colorgan.systems.adversarial import Adversarial
from colorgan.systems.classifier import Classifier
from colorgan.systems.supervised import Supervised

SYSTEMS = {"adversarial": Adversarial, "supervised": Supervised, "classifier": Classifier}
TABLES = {"net": NETS, "codec": CODECS, "system": SYSTEMS, "discriminator": DISCRIMINATORS, "data": DATASETS}
