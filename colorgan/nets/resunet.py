"""A small residual U-Net that predicts color at a quarter of the size: color varies more slowly than lightness."""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorgan.nets.base import Net
from colorgan.nets.blocks import crop_to, pad_up

SHRINK = 4


class ResUNet(Net):
    """An encoder and a decoder of residual blocks (He et al. 2016) with skip connections at every size.

    Two strided convolutions bring the picture to a quarter of its size, and the predicted color stays there: nearly all
    operations are spent where pixels see far. Each block starts as the identity, its last normalization at zero (Goyal
    et al. 2017, section 5.1). Beyond the picture, feature maps go on as they end: a border of zeros would be an edge,
    whose echoes cross a smooth sky as bands of color.
    """

    def __init__(
        self,
        channels: int,
        width: int = 64,  # channels at 1/4 of the size; two and four times as many at 1/8 and 1/16
        blocks: int = 2,  # residual blocks at 1/8 and 1/16, in the encoder and in the decoder; at 1/4 there is one
    ):
        super().__init__()
        if width < 2 or blocks < 1:
            raise ValueError(f"width={width}, blocks={blocks}: at least 2 and 1")
        widths = [width, 2 * width, 4 * width]
        last = nn.Conv2d(width // 2, width, 4, 2, 1, padding_mode="replicate")
        self.stem = nn.Sequential(*_convolution(1, width // 2, 4, 2), nn.ReLU(), last)
        self.encoder = nn.ModuleList([_blocks(width, 1)])
        self.down, self.up, self.decoder = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for (wide, deep), count in zip(itertools.pairwise(widths), (1, blocks), strict=True):
            self.down.append(nn.Conv2d(wide, deep, 2, 2))
            self.encoder.append(_blocks(deep, blocks))
            self.up.append(nn.Conv2d(deep, wide, 1))
            self.decoder.append(_blocks(wide, count))
        self.head = nn.Conv2d(width, channels, 3, padding=1, padding_mode="replicate")
        self.to(memory_format=torch.channels_last)  # a seventh faster on a CPU in float32

    def forward(self, L: Tensor) -> Tensor:
        """L (B, 1, H, W) in [0, 100], any H and W -> (B, channels, H/4, W/4), linear."""
        x = self.encoder[0](self.stem(pad_up(L / 50 - 1, 4 * SHRINK)))
        skips = []
        for down, stage in zip(self.down, self.encoder[1:], strict=True):
            skips.append(x)
            x = stage(down(x))
        for up, stage in zip(reversed(self.up), reversed(self.decoder), strict=True):
            x = stage(F.interpolate(up(x), scale_factor=2.0, mode="nearest") + skips.pop())
        return crop_to(self.head(x), L, SHRINK)


class _Residual(nn.Module):
    """Two normalized 3x3 convolutions beside the identity (He et al. 2016, Deep residual learning)."""

    def __init__(self, width: int):
        super().__init__()
        self.layers = nn.Sequential(*_convolution(width, width, 3, 1), nn.ReLU(), *_convolution(width, width, 3, 1))
        nn.init.zeros_(self.layers[-1].weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.layers(x))


def _convolution(inputs: int, outputs: int, kernel: int, stride: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, 1, bias=False, padding_mode="replicate")
    return convolution, nn.BatchNorm2d(outputs)


def _blocks(width: int, count: int) -> nn.Module:
    return nn.Sequential(*(_Residual(width) for _ in range(count)))
