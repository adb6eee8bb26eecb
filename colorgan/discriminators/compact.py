"""A discriminator for small budgets: color at a quarter of the size, lightness in full."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorgan.nets.blocks import dcgan_conv, pad_up, scale_lab

SHRINK = 4  # color varies slowly: true color shrunk so far and brought back is hard to tell from the true picture


class Compact(nn.Module):
    """A PatchGAN that sees the mean color of each 4x4 pixels beside the lightness of all sixteen.

    Spectral norm in every layer (Miyato et al. 2018); each logit sees 80x80 pixels.
    """

    def __init__(
        self,
        channels: int,
        width: int = 64,  # channels at a quarter of the size; two and four times as many at 1/8 and 1/16
    ):
        super().__init__()
        if width < 1:
            raise ValueError(f"width={width}: at least 1")
        self.layers = nn.Sequential(
            dcgan_conv(nn.Conv2d(SHRINK**2 + channels - 1, width, 3, padding=1), "spectral"),
            nn.LeakyReLU(0.2),
            dcgan_conv(nn.Conv2d(width, 2 * width, 4, 2, 1), "spectral"),
            nn.LeakyReLU(0.2),
            dcgan_conv(nn.Conv2d(2 * width, 4 * width, 4, 2, 1), "spectral"),
            nn.LeakyReLU(0.2),
            dcgan_conv(nn.Conv2d(4 * width, 1, 3, padding=1), "spectral"),
        )

    def features(self, lab: Tensor) -> list[Tensor]:
        """Return the input features of `forward` for Lab (B, 3, H, W)."""
        x = pad_up(scale_lab(lab), 4 * SHRINK)
        lightness, color = F.pixel_unshuffle(x[:, :1], SHRINK), F.avg_pool2d(x[:, 1:], SHRINK)
        return [torch.cat([lightness, color], dim=1)]

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Map what `features` returns to logits (B, 1, H/16, W/16)."""
        return self.layers(*maps)
