"""Zhang, Isola and Efros 2016, "Colorful image colorization", as released."""

import torch
from torch import Tensor, nn

from colorgan.nets.base import Net
from colorgan.nets.blocks import crop_padding, pad_to_multiple
from colorgan.nets.initialization import normalize_layers


class Zhang(Net):
    """Eight blocks of convolutions without pooling, two of them dilated; predicts at a quarter of the resolution.

    As in section 2 and the released model, each block but the last ends in batch normalization, which has no scale and
    shift. The input is scaled to [-0.5, 0.5], as in the authors' PyTorch model; that of their Caffe model is in
    [-50, 50]. 32,230,393 parameters with 313 output channels.
    """

    def __init__(
        self,
        channels: int,
        width: int = 64,  # channels of the first block; those of the others are proportional
    ):
        super().__init__()
        if width < 1:
            raise ValueError(f"width={width}: at least 1")
        self.blocks = nn.Sequential(
            _block(1, width, convs=2, stride=2),
            _block(width, 2 * width, convs=2, stride=2),
            _block(2 * width, 4 * width, convs=3, stride=2),
            _block(4 * width, 8 * width, convs=3),
            _block(8 * width, 8 * width, convs=3, dilation=2),
            _block(8 * width, 8 * width, convs=3, dilation=2),
            _block(8 * width, 8 * width, convs=3),
        )
        self.up = nn.Sequential(
            nn.ConvTranspose2d(8 * width, 4 * width, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(4 * width, 4 * width, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(4 * width, 4 * width, 3, 1, 1),
            nn.ReLU(),
        )
        self.head = nn.Conv2d(4 * width, channels, 1)

    def initialize(self, L: Tensor) -> None:
        """Normalize all layers on L (B, 1, H, W) in [0, 100]; otherwise the loss does not leave its initial plateau."""
        normalize_layers(self, L)
        with torch.no_grad():
            self.head.weight.mul_(0.1)  # initial outputs close to 0, so that no color is preferred
            self.head.bias.zero_()

    def forward(self, L: Tensor) -> Tensor:
        """Map L (B, 1, H, W) in [0, 100] to (B, channels, ceil(H / 4), ceil(W / 4))."""
        x = pad_to_multiple((L - 50) / 100, 8, min_multiples=2)
        return crop_padding(self.head(self.up(self.blocks(x))), L, 4)


def _block(inputs: int, outputs: int, convs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Return 3x3 convolutions with ReLU, of which only the last is strided, and a batch normalization."""
    layers: list[nn.Module] = []
    for i in range(convs):
        step = stride if i == convs - 1 else 1
        layers += [nn.Conv2d(outputs if i else inputs, outputs, 3, step, dilation, dilation), nn.ReLU()]
    return nn.Sequential(*layers, nn.BatchNorm2d(outputs, affine=False))
