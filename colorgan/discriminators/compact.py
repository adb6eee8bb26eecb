"""A fast PatchGAN, for training on small budgets."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorgan.nets.blocks import dcgan_conv, pad_to_multiple, scale_lab

STRIDE = 4  # color varies slowly: true color at a quarter of the resolution is hard to distinguish from full color


class Compact(nn.Module):
    """A PatchGAN of the lightness of all pixels and the mean color of each block of 4x4 pixels.

    All layers have spectral normalization (Miyato et al. 2018). The receptive field of a logit is 80x80 pixels.
    """

    def __init__(
        self,
        channels: int,
        width: int = 64,  # channels at 1/4 of the resolution; two and four times as many at 1/8 and 1/16
    ):
        super().__init__()
        if width < 1:
            raise ValueError(f"width={width}: at least 1")
        self.layers = nn.Sequential(
            dcgan_conv(nn.Conv2d(STRIDE**2 + channels - 1, width, 3, padding=1), "spectral"),
            nn.LeakyReLU(0.2),
            dcgan_conv(nn.Conv2d(width, 2 * width, 4, 2, 1), "spectral"),
            nn.LeakyReLU(0.2),
            dcgan_conv(nn.Conv2d(2 * width, 4 * width, 4, 2, 1), "spectral"),
            nn.LeakyReLU(0.2),
            dcgan_conv(nn.Conv2d(4 * width, 1, 3, padding=1), "spectral"),
        )

    def features(self, lab: Tensor) -> list[Tensor]:
        """Return the input features of `forward` for Lab (B, 3, H, W)."""
        x = pad_to_multiple(scale_lab(lab), 4 * STRIDE)
        lightness, color = F.pixel_unshuffle(x[:, :1], STRIDE), F.avg_pool2d(x[:, 1:], STRIDE)
        return [torch.cat([lightness, color], dim=1)]

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Map what `features` returns to logits (B, 1, ceil(H / 16), ceil(W / 16))."""
        return self.layers(*maps)
