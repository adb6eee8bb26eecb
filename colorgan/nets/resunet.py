"""A small residual U-Net that predicts color at half the size, because color varies more slowly than lightness."""

import itertools

import torch.nn.functional as F
from torch import Tensor, nn

from colorgan.nets.blocks import crop_to, pad_up


class ResUNet(nn.Module):
    """An encoder and a decoder of residual blocks (He et al. 2016) with skip connections at every size.

    The first convolution halves the picture, and nothing comes back to its full size: the last block's color is half as
    wide and high. Each block starts as the identity, its last normalization at zero (Goyal et al. 2017, section 5.1).
    """

    def __init__(
        self,
        channels: int,
        width: int = 48,  # channels at half the size; at 1/4, 1/8 and 1/16 it is 2, 4 and 6 times as many
        blocks: int = 2,  # at each size of the encoder and of the decoder
    ):
        super().__init__()
        if width < 1 or blocks < 1:
            raise ValueError(f"width={width}, blocks={blocks}: at least 1 each")
        widths = [width * factor for factor in (1, 2, 4, 6)]
        self.stem = nn.Conv2d(1, width, 4, 2, 1)
        self.encoder = nn.ModuleList([_blocks(width, blocks)])
        self.down, self.up, self.decoder = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for wide, deep in itertools.pairwise(widths):
            self.down.append(nn.Conv2d(wide, deep, 2, 2))
            self.encoder.append(_blocks(deep, blocks))
            self.up.append(nn.Conv2d(deep, wide, 1))
            self.decoder.append(_blocks(wide, blocks))
        self.head = nn.Conv2d(width, channels, 3, padding=1)
        self.stride = 2 ** len(widths)

    def forward(self, L: Tensor) -> Tensor:
        """L (B, 1, H, W) in [0, 100], any H and W -> (B, channels, H/2, W/2), linear."""
        x = self.encoder[0](self.stem(pad_up(L / 50 - 1, self.stride)))
        skips = []
        for down, stage in zip(self.down, self.encoder[1:], strict=True):
            skips.append(x)
            x = stage(down(x))
        for up, stage in zip(reversed(self.up), reversed(self.decoder), strict=True):
            x = stage(F.interpolate(up(x), scale_factor=2.0, mode="nearest") + skips.pop())
        return crop_to(self.head(x), L, 2)


class _Residual(nn.Module):
    """Two normalized 3x3 convolutions beside the identity (He et al. 2016, Deep residual learning)."""

    def __init__(self, width: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        nn.init.zeros_(self.layers[-1].weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.layers(x))


def _blocks(width: int, count: int) -> nn.Module:
    return nn.Sequential(*(_Residual(width) for _ in range(count)))
