"""The generator of Nazeri, Ng and Ebrahimi 2018, "Image colorization with generative adversarial networks"."""

import itertools
import math

import torch
from torch import Tensor, nn

from colorgan.nets.base import Net
from colorgan.nets.blocks import Norm, crop_to, dcgan_conv, pad_up, same_padding


class UNet(Net):
    """An encoder of strided convolutions down to 2x2, and a decoder with a skip connection at every size.

    Section 3.2 and the authors' code. Their 32 px and 256 px forms have 16,654,851 and 42,023,811 parameters with three
    output channels. Sizes below 256 continue the widths of the first form, larger ones those of the second.
    """

    def __init__(
        self,
        channels: int,
        size: int | None = None,  # pixels of the square it trains on, a power of two; default: data.size
        width: int = 64,  # channels of the first layer; the others scale with it
        norm: Norm = "batch",
        dropout: float = 0.0,  # of the first decoder layers; the paper states 0.5, its code in effect never applies it
    ):
        super().__init__()
        if size is None or size < 32 or size & (size - 1):
            raise ValueError(f"size={size}: this net trains on a power of two from 32 up; set net.size")
        if width < 1:
            raise ValueError(f"width={width}: at least 1")
        widths = _widths(size, width)
        self.encoder = nn.ModuleList([_first(widths[0], norm)])
        for inputs, outputs in itertools.pairwise(widths):
            self.encoder.append(_down(inputs, outputs, norm))
        self.decoder = nn.ModuleList()
        dropped = 2 if size < 256 else 3
        inputs = widths[-1]
        for i, outputs in enumerate(reversed(widths[:-1])):
            self.decoder.append(_up(inputs, outputs, norm, dropout if i < dropped else 0.0))
            inputs = 2 * outputs
        self.head = dcgan_conv(nn.Conv2d(inputs, channels, 1))
        self.stride = 2 ** (len(widths) - 1)

    def forward(self, L: Tensor) -> Tensor:
        """L (B, 1, H, W) in [0, 100], any H and W -> (B, channels, H, W), linear."""
        x = pad_up(L / 50 - 1, self.stride, least=2)
        skips = []
        for layer in self.encoder:
            x = layer(x)
            skips.append(x)
        skips.pop()
        for layer in self.decoder:
            x = torch.cat([skips.pop(), layer(x)], dim=1)
        return crop_to(self.head(x), L, 1)


def _widths(size: int, width: int) -> list[int]:
    """Channels of the encoder layers; each but the first halves the size, the last is 2x2."""
    head = [1, 2, 4, 8] if size < 256 else [1, 1, 2, 4, 8]
    layers = int(math.log2(size))
    return [width * factor for factor in head + [8] * (layers - len(head))]


def _first(outputs: int, norm: Norm) -> nn.Module:
    return nn.Sequential(same_padding(), dcgan_conv(nn.Conv2d(1, outputs, 4), norm), nn.LeakyReLU(0.2))


def _down(inputs: int, outputs: int, norm: Norm) -> nn.Module:
    return nn.Sequential(dcgan_conv(nn.Conv2d(inputs, outputs, 4, 2, 1), norm), nn.LeakyReLU(0.2))


def _up(inputs: int, outputs: int, norm: Norm, dropout: float) -> nn.Module:
    layers = [dcgan_conv(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), norm), nn.ReLU()]
    return nn.Sequential(*layers, nn.Dropout(dropout)) if dropout else nn.Sequential(*layers)
