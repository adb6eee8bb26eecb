"""A small residual U-Net, which predicts color at a quarter of the resolution."""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorgan.nets.base import Net
from colorgan.nets.blocks import conv_bn, crop_padding, pad_to_multiple, residual_stage

OUTPUT_STRIDE = 4  # color varies more slowly than lightness


class ResUNet(Net):
    """An encoder and a decoder of residual blocks (He et al. 2016) with skip connections at each resolution.

    Two strided convolutions reduce the resolution to a quarter, which is that of the output, so that most operations
    are spent at low resolutions with large receptive fields. Each block is initialized to the identity by a scale of 0
    of its last normalization (Goyal et al. 2017, section 5.1). Feature maps are padded by replication: zeros at the
    border would be an edge, which causes bands of color in smooth skies.
    """

    def __init__(
        self,
        channels: int,
        width: int = 64,  # channels at 1/4 of the resolution; two and four times as many at 1/8 and 1/16
        blocks: int = 2,  # residual blocks at 1/8 and at 1/16, in the encoder and the decoder each; at 1/4 there is one
    ):
        super().__init__()
        if width < 2 or blocks < 1:
            raise ValueError(f"width={width}, blocks={blocks}: at least 2 and 1")
        widths = [width, 2 * width, 4 * width]
        last = nn.Conv2d(width // 2, width, 4, 2, 1, padding_mode="replicate")
        self.stem = nn.Sequential(*conv_bn(1, width // 2, 4, 2), nn.ReLU(), last)
        self.encoder = nn.ModuleList([residual_stage(width, 1)])
        self.down, self.up, self.decoder = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for (wide, deep), count in zip(itertools.pairwise(widths), (1, blocks), strict=True):
            self.down.append(nn.Conv2d(wide, deep, 2, 2))
            self.encoder.append(residual_stage(deep, blocks))
            self.up.append(nn.Conv2d(deep, wide, 1))
            self.decoder.append(residual_stage(wide, count))
        self.head = nn.Conv2d(width, channels, 3, padding=1, padding_mode="replicate")
        self.to(memory_format=torch.channels_last)  # 1/7 faster on a CPU in float32

    def forward(self, L: Tensor) -> Tensor:
        """Map L (B, 1, H, W) in [0, 100] to (B, channels, ceil(H / 4), ceil(W / 4))."""
        x = self.encoder[0](self.stem(pad_to_multiple(L / 50 - 1, 4 * OUTPUT_STRIDE)))
        skips = []
        for down, stage in zip(self.down, self.encoder[1:], strict=True):
            skips.append(x)
            x = stage(down(x))
        for up, stage in zip(reversed(self.up), reversed(self.decoder), strict=True):
            x = stage(F.interpolate(up(x), scale_factor=2.0, mode="nearest") + skips.pop())
        return crop_padding(self.head(x), L, OUTPUT_STRIDE)
