"""Every net by its name in an experiment. A net maps L (B, 1, H, W) in [0, 100] to what its codec decodes."""

from colorgan.nets.patchgan import PatchGAN
from colorgan.nets.unet import UNet

NETS = {"unet": UNet}
DISCRIMINATORS = {"patchgan": PatchGAN}
