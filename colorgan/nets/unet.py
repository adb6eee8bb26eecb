"""The generator of Nazeri, Ng and Ebrahimi 2018, "Image colorization with generative adversarial networks"."""

import itertools
import math

import torch
from torch import Tensor, nn

from colorgan.nets.base import Net
from colorgan.nets.blocks import Norm, crop_padding, dcgan_conv, pad_to_multiple, same_padding


class UNet(Net):
    """A U-Net of strided convolutions down to 2x2 pixels (section 3.2 and the authors' code).

    The authors define it for pictures of 32 and 256 pixels, with 16,654,851 and 42,023,811 parameters for three output
    channels. For other sizes below 256 the widths of the first are extended, for sizes above 256 those of the second.
    """

    def __init__(
        self,
        channels: int,
        size: int | None = None,  # side of training pictures in pixels, a power of two; default: data.size
        width: int = 64,  # channels of the first layer; those of the others are proportional
        norm: Norm = "batch",  # of all layers but the head
        dropout: float = 0.0,  # of the first decoder layers; 0.5 in the paper, in effect 0 in its code
    ):
        super().__init__()
        if size is None or size < 32 or size & (size - 1):
            raise ValueError(f"size={size}: this net trains on a power of two from 32 up; set net.size")
        if width < 1:
            raise ValueError(f"width={width}: at least 1")
        widths = _encoder_widths(size, width)
        self.encoder = nn.ModuleList([_first_layer(widths[0], norm)])
        for inputs, outputs in itertools.pairwise(widths):
            self.encoder.append(_encoder_layer(inputs, outputs, norm))
        self.decoder = nn.ModuleList()
        dropped = 2 if size < 256 else 3
        inputs = widths[-1]
        for i, outputs in enumerate(reversed(widths[:-1])):
            self.decoder.append(_decoder_layer(inputs, outputs, norm, dropout if i < dropped else 0.0))
            inputs = 2 * outputs
        self.head = dcgan_conv(nn.Conv2d(inputs, channels, 1))
        self.stride = 2 ** (len(widths) - 1)
        self.to(memory_format=torch.channels_last)  # 1/8 faster on a CPU in float32, at 64 px and width 32

    def forward(self, L: Tensor) -> Tensor:
        """Map L (B, 1, H, W) in [0, 100] to (B, channels, H, W)."""
        x = pad_to_multiple(L / 50 - 1, self.stride, min_multiples=2)
        skips = []
        for layer in self.encoder:
            x = layer(x)
            skips.append(x)
        skips.pop()
        for layer in self.decoder:
            x = torch.cat([skips.pop(), layer(x)], dim=1)
        return crop_padding(self.head(x), L, 1)


def _encoder_widths(size: int, width: int) -> list[int]:
    """Return the channels of the encoder layers, each of which but the first halves the resolution, down to 2x2."""
    head = [1, 2, 4, 8] if size < 256 else [1, 1, 2, 4, 8]
    layers = int(math.log2(size))
    return [width * factor for factor in head + [8] * (layers - len(head))]


def _first_layer(outputs: int, norm: Norm) -> nn.Module:
    return nn.Sequential(same_padding(), dcgan_conv(nn.Conv2d(1, outputs, 4), norm), nn.LeakyReLU(0.2))


def _encoder_layer(inputs: int, outputs: int, norm: Norm) -> nn.Module:
    return nn.Sequential(dcgan_conv(nn.Conv2d(inputs, outputs, 4, 2, 1), norm), nn.LeakyReLU(0.2))


def _decoder_layer(inputs: int, outputs: int, norm: Norm, dropout: float) -> nn.Module:
    layers = [dcgan_conv(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), norm), nn.ReLU()]
    return nn.Sequential(*layers, nn.Dropout(dropout)) if dropout else nn.Sequential(*layers)
