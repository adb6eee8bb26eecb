"""VGG-19 fusion (shekkizh, Colorization.tensorflow): a residual encoder with two of its skips."""

import torch.nn.functional as F
from torch import Tensor, nn

from colorgan.nets.base import Net
from colorgan.nets.blocks import crop_to, pad_up
from colorgan.nets.bodies import make_vgg, vgg_stages


class Fusion(Net):
    """VGG-19 to relu5_3 with average pools, and three transposed convolutions, to which pool4 and pool3 are added.

    Nothing stands between the transposed convolutions: no non-linearity, no normalization. It sees raw lightness
    through a first layer of its own, as in the authors' code. 24,086,722 parameters with two output channels.
    """

    def __init__(
        self,
        channels: int,
        pretrained: bool,
        weights: str | None = None,  # a checkpoint of our classifier, or a file of timm's weights, for the vgg19
        width: int = 64,  # channels of the first layer; the others scale with it
    ):
        super().__init__()
        self.stages = vgg_stages(make_vgg("vgg19", width, pretrained, weights))
        self.stages[0][0] = _small(nn.Conv2d(1, width, 3, 1, 1))
        self.stages[4] = self.stages[4][:6]
        self.up1 = _small(nn.ConvTranspose2d(8 * width, 8 * width, 4, 2, 1))
        self.up2 = _small(nn.ConvTranspose2d(8 * width, 4 * width, 4, 2, 1))
        self.up3 = _small(nn.ConvTranspose2d(4 * width, channels, 16, 8, 4))

    def forward(self, L: Tensor) -> Tensor:
        """L (B, 1, H, W) in [0, 100], any H and W -> (B, channels, H, W), linear."""
        x = pad_up(L, 32)
        pools = []
        for stage in self.stages[:4]:
            x = F.avg_pool2d(stage(x), 2)
            pools.append(x)
        x = F.max_pool2d(self.stages[4](x), 2)
        x = self.up1(x) + pools[3]
        x = self.up2(x) + pools[2]
        return crop_to(self.up3(x), L, 1)


def _small(conv: nn.Conv2d | nn.ConvTranspose2d) -> nn.Module:
    """The convolution with the authors' first weights."""
    nn.init.trunc_normal_(conv.weight, std=0.02, a=-0.04, b=0.04)
    nn.init.zeros_(conv.bias)
    return conv
