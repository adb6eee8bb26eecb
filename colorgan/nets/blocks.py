"""Building blocks of several nets and discriminators."""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

Norm = Literal["batch", "instance", "spectral", "none"]


def dcgan_conv(conv: nn.Conv2d | nn.ConvTranspose2d, norm: Norm = "none") -> nn.Module:
    """Initialize a convolution as DCGAN does (Radford et al. 2016, section 4) and add a normalization to it.

    Args:
        conv: its weight is drawn from N(0, 0.02) and its bias set to 0, in place.
        norm: "batch" and "instance" append a layer; "spectral" constrains the weight (Miyato et al. 2018).

    Raises:
        ValueError: unknown `norm`.
    """
    nn.init.normal_(conv.weight, 0.0, 0.02)
    nn.init.zeros_(conv.bias)
    if norm == "spectral":
        return spectral_norm(conv)
    if norm == "batch":
        return nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels))
    if norm == "instance":
        return nn.Sequential(conv, nn.InstanceNorm2d(conv.out_channels, affine=True))
    if norm == "none":
        return conv
    raise ValueError(f"norm={norm}: there are {', '.join(get_args(Norm))}")


def conv_bn(inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """Return a convolution with a padding of 1 by replication, and its batch normalization.

    Zeros at the border would be an edge, which causes bands of color in smooth skies.
    """
    padding = 1 if kernel > 1 else 0
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False, padding_mode="replicate")
    return conv, nn.BatchNorm2d(outputs)


class ResidualBlock(nn.Module):
    """A residual block of two 3x3 convolutions with batch normalization (He et al. 2016, "Deep residual learning").

    It is initialized to the identity by a scale of 0 of its last normalization (Goyal et al. 2017, section 5.1).

    Args:
        width: channels.
        depthwise: each 3x3 convolution is one of each channel, followed by one of 1x1 (Howard et al. 2017).
    """

    def __init__(self, width: int, depthwise: bool = False):
        super().__init__()
        self.layers = nn.Sequential(*_conv3x3(width, depthwise), nn.ReLU(), *_conv3x3(width, depthwise))
        nn.init.zeros_(self.layers[-1].weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.layers(x))


def residual_stage(width: int, count: int, depthwise: bool = False) -> nn.Module:
    """Return `count` residual blocks in sequence."""
    return nn.Sequential(*(ResidualBlock(width, depthwise) for _ in range(count)))


def _conv3x3(width: int, depthwise: bool) -> list[nn.Module]:
    if depthwise:
        return [*conv_bn(width, width, 3, 1, groups=width), *conv_bn(width, width, 1, 1)]
    return [*conv_bn(width, width, 3, 1)]


def scale_lab(lab: Tensor) -> Tensor:
    """Scale Lab (B, 3, H, W) to about [-1, 1]."""
    return torch.cat([lab[:, :1] / 50 - 1, lab[:, 1:] / 110], dim=1)


def same_padding() -> nn.Module:
    """Return TensorFlow's SAME padding for a 4x4 convolution of stride 1: 1 left and top, 2 right and bottom."""
    return nn.ZeroPad2d((1, 2, 1, 2))


def pad_to_multiple(x: Tensor, multiple: int, min_multiples: int = 1) -> Tensor:
    """Pad the right and bottom by replication such that both sides are multiples of `multiple`.

    Args:
        x: (B, C, H, W).
        multiple: in pixels.
        min_multiples: the padded sides are at least `min_multiples * multiple`.
    """
    counts = [(side + multiple - 1) // multiple for side in x.shape[-2:]]
    if min_multiples > 1:  # max(1, count) would only complicate the sizes of an exported graph
        counts = [max(min_multiples, count) for count in counts]
    height, width = (multiple * count for count in counts)
    return F.pad(x, (0, width - x.shape[-1], 0, height - x.shape[-2]), mode="replicate")


def crop_padding(x: Tensor, L: Tensor, stride: int) -> Tensor:
    """Crop the output for a picture that `pad_to_multiple` padded.

    Args:
        x: (B, C, h, w), the output for the padded picture.
        L: (B, 1, H, W), the picture without padding.
        stride: the output stride of the net.

    Returns:
        (B, C, ceil(H / stride), ceil(W / stride)).
    """
    height, width = ((side + stride - 1) // stride for side in L.shape[-2:])
    return x[..., :height, :width]
