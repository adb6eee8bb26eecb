"""What several nets share."""

from typing import Literal, get_args

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

Norm = Literal["batch", "instance", "spectral", "none"]


def dcgan_conv(conv: nn.Conv2d | nn.ConvTranspose2d, norm: Norm = "none") -> nn.Module:
    """A convolution with DCGAN weights, N(0, 0.02) (Radford et al. 2016, section 4), and its normalization.

    The normalization is a layer behind the convolution, or, for `spectral`, a bound on its weight (Miyato et al. 2018).
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


def same_padding() -> nn.Module:
    """TensorFlow's SAME padding of a 4x4 convolution of stride 1: one left and top, two right and bottom."""
    return nn.ZeroPad2d((1, 2, 1, 2))
