"""VGG-19 fusion (shekkizh, Colorization.tensorflow): a residual encoder with two skip connections."""

import torch.nn.functional as F
from torch import Tensor, nn

from colorgan.nets.base import Net
from colorgan.nets.blocks import crop_padding, pad_to_multiple
from colorgan.nets.bodies import make_vgg, vgg_stages


class Fusion(Net):
    """VGG-19 up to relu5_3 with average pooling, and three transposed convolutions.

    pool4 and pool3 are added to the outputs of the first two transposed convolutions. There is no activation or
    normalization between these. As in the authors' code, the input is L in [0, 100], and the first layer is not
    pretrained. 24,086,722 parameters with two output channels.
    """

    def __init__(
        self,
        channels: int,
        pretrained: bool,
        weights: str | None = None,  # path of a checkpoint of our classifier, or of weights of timm, for the vgg19
        width: int = 64,  # channels of the first layer; those of the others are proportional
    ):
        super().__init__()
        self.stages = vgg_stages(make_vgg("vgg19", width, pretrained, weights))
        self.stages[0][0] = _init_truncated_normal(nn.Conv2d(1, width, 3, 1, 1))
        self.stages[4] = self.stages[4][:6]
        self.up1 = _init_truncated_normal(nn.ConvTranspose2d(8 * width, 8 * width, 4, 2, 1))
        self.up2 = _init_truncated_normal(nn.ConvTranspose2d(8 * width, 4 * width, 4, 2, 1))
        self.up3 = _init_truncated_normal(nn.ConvTranspose2d(4 * width, channels, 16, 8, 4))

    def forward(self, L: Tensor) -> Tensor:
        """Map L (B, 1, H, W) in [0, 100] to (B, channels, H, W)."""
        x = pad_to_multiple(L, 32)
        pools = []
        for stage in self.stages[:4]:
            x = F.avg_pool2d(stage(x), 2)
            pools.append(x)
        x = F.max_pool2d(self.stages[4](x), 2)
        x = self.up1(x) + pools[3]
        x = self.up2(x) + pools[2]
        return crop_padding(self.up3(x), L, 1)


def _init_truncated_normal(conv: nn.Conv2d | nn.ConvTranspose2d) -> nn.Module:
    """Initialize a convolution as the authors do: a normal distribution of deviation 0.02, truncated at 0.04."""
    nn.init.trunc_normal_(conv.weight, std=0.02, a=-0.04, b=0.04)
    nn.init.zeros_(conv.bias)
    return conv
