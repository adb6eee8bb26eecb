"""Every net by its name in an experiment.

A net maps L (B, 1, H, W) in [0, 100] to what its codec decodes. A discriminator maps what its `look` sees of Lab
(B, 3, H, W) to logits: whatever it does not learn is in `look`, so that one look serves both of a GAN's steps.
"""

from colorgan.nets.compact import Compact
from colorgan.nets.fusion import Fusion
from colorgan.nets.hypercolumn import Hypercolumn
from colorgan.nets.iizuka import Iizuka
from colorgan.nets.koala import Koala
from colorgan.nets.patchgan import PatchGAN
from colorgan.nets.projected import Projected
from colorgan.nets.resnet18 import ResNet18
from colorgan.nets.resunet import ResUNet
from colorgan.nets.unet import UNet
from colorgan.nets.zhang import Zhang

NETS = {
    "unet": UNet,
    "resunet": ResUNet,
    "zhang": Zhang,
    "resnet18": ResNet18,
    "hypercolumn": Hypercolumn,
    "iizuka": Iizuka,
    "fusion": Fusion,
    "koala": Koala,
}
DISCRIMINATORS = {"patchgan": PatchGAN, "compact": Compact, "projected": Projected}
