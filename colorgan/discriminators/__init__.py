"""The discriminators, by the names that experiments use.

`features(lab)` maps Lab (B, 3, H, W) to a list of feature maps, and `forward(features)` maps these to logits. The
features do not depend on trained parameters, so that the steps of the generator and the discriminator can share them.
"""

from colorgan.discriminators.compact import Compact
from colorgan.discriminators.patchgan import PatchGAN
from colorgan.discriminators.projected import Projected

DISCRIMINATORS = {"patchgan": PatchGAN, "compact": Compact, "projected": Projected}
