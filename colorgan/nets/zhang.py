"""The net of Zhang, Isola and Efros 2016, "Colorful image colorization", in its released form."""

import torch
from torch import Tensor, nn

from colorgan.nets.base import Net
from colorgan.nets.blocks import crop_to, pad_up
from colorgan.nets.initialization import normalize_layers


class Zhang(Net):
    """Eight blocks of convolutions without pooling, two of them dilated; predicts at a quarter of the size.

    Section 2 and the released model: each block ends in a normalization without scale and shift, but the last. It sees
    lightness in [-0.5, 0.5], as the authors' PyTorch form; their Caffe form has [-50, 50]. 32,230,393 parameters with
    313 output channels.
    """

    def __init__(
        self,
        channels: int,
        width: int = 64,  # channels of the first block; the others scale with it
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
        """Normalize all layers on L (B, 1, H, W) in [0, 100]; without it the loss stays on a plateau."""
        normalize_layers(self, L)
        with torch.no_grad():
            self.head.weight.mul_(0.1)  # a first guess without opinions
            self.head.bias.zero_()

    def forward(self, L: Tensor) -> Tensor:
        """L (B, 1, H, W) in [0, 100], any H and W -> (B, channels, H/4, W/4), rounded up, linear."""
        x = pad_up((L - 50) / 100, 8, least=2)
        return crop_to(self.head(self.up(self.blocks(x))), L, 4)


def _block(inputs: int, outputs: int, convs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Convolutions with ReLU, the last of them strided, and a normalization."""
    layers: list[nn.Module] = []
    for i in range(convs):
        step = stride if i == convs - 1 else 1
        layers += [nn.Conv2d(outputs if i else inputs, outputs, 3, step, dilation, dilation), nn.ReLU()]
    return nn.Sequential(*layers, nn.BatchNorm2d(outputs, affine=False))
