"""What several nets share."""

import math
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
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


def scale_lab(lab: Tensor) -> Tensor:
    """Lab (B, 3, H, W), scaled to about [-1, 1]."""
    return torch.cat([lab[:, :1] / 50 - 1, lab[:, 1:] / 110], dim=1)


def same_padding() -> nn.Module:
    """TensorFlow's SAME padding of a 4x4 convolution of stride 1: one left and top, two right and bottom."""
    return nn.ZeroPad2d((1, 2, 1, 2))


def pad_up(x: Tensor, multiple: int, least: int = 1) -> Tensor:
    """Pads (B, C, H, W) right and bottom, by repeating its border, to `least` times `multiple` or a higher one."""
    height, width = (multiple * max(least, math.ceil(side / multiple)) for side in x.shape[-2:])
    return F.pad(x, (0, width - x.shape[-1], 0, height - x.shape[-2]), mode="replicate")


def crop_to(x: Tensor, L: Tensor, stride: int) -> Tensor:
    """The part of x, predicted at 1 / `stride` of a padded picture, that lies on the picture L (B, 1, H, W)."""
    height, width = (math.ceil(side / stride) for side in L.shape[-2:])
    return x[..., :height, :width]
