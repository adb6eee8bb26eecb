"""The discriminator of Nazeri 2018: the 70x70 PatchGAN of Isola et al. 2017, "Image-to-image translation"."""

import torch
from torch import Tensor, nn

from colorgan.nets.blocks import Norm, dcgan_conv, same_padding, scale_lab


class PatchGAN(nn.Module):
    """Classifies each 70x70 patch of a picture as real or generated, as in Nazeri's code.

    The first and the last layer have no batch or instance normalization. 2,767,553 parameters with 4 input channels.
    """

    def __init__(
        self,
        channels: int,
        width: int = 64,  # channels of the first layer
        norm: Norm = "batch",  # of all layers; the first and the last take spectral alone
    ):
        super().__init__()
        if width < 1:
            raise ValueError(f"width={width}: at least 1")
        outer_norm = "spectral" if norm == "spectral" else "none"  # only spectral normalization applies to all layers
        self.layers = nn.Sequential(
            dcgan_conv(nn.Conv2d(channels, width, 4, 2, 1), outer_norm),
            nn.LeakyReLU(0.2),
            dcgan_conv(nn.Conv2d(width, 2 * width, 4, 2, 1), norm),
            nn.LeakyReLU(0.2),
            dcgan_conv(nn.Conv2d(2 * width, 4 * width, 4, 2, 1), norm),
            nn.LeakyReLU(0.2),
            same_padding(),
            dcgan_conv(nn.Conv2d(4 * width, 8 * width, 4), norm),
            nn.LeakyReLU(0.2),
            same_padding(),
            dcgan_conv(nn.Conv2d(8 * width, 1, 4), outer_norm),
        )
        self.to(memory_format=torch.channels_last)

    def features(self, lab: Tensor) -> list[Tensor]:
        """Return the input features of `forward` for Lab (B, 3, H, W)."""
        return [scale_lab(lab)]

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Map what `features` returns to logits (B, 1, H / 8, W / 8)."""
        return self.layers(*maps)
