"""Every discriminator by its name in an experiment.

A discriminator maps what its `look` sees of Lab (B, 3, H, W) to logits: whatever it does not learn is in `look`, so
that one look serves both of a GAN's steps.
"""

from colorgan.discriminators.compact import Compact
from colorgan.discriminators.patchgan import PatchGAN
from colorgan.discriminators.projected import Projected

DISCRIMINATORS = {"patchgan": PatchGAN, "compact": Compact, "projected": Projected}
