"""Every discriminator by its name in an experiment.

A discriminator maps its input features to logits. `features` returns these for Lab (B, 3, H, W): a list of tensors that
depend on nothing that is learned, so that both steps of a GAN can share them.
"""

from colorgan.discriminators.compact import Compact
from colorgan.discriminators.patchgan import PatchGAN
from colorgan.discriminators.projected import Projected

DISCRIMINATORS = {"patchgan": PatchGAN, "compact": Compact, "projected": Projected}
