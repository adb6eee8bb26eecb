"""Color conversions of `color` from and to pixels of 8 and 16 bits, by table: several times as fast."""

from functools import cache

import torch
from torch import Tensor

from colorgan.color import LUMINANCE, split, to_linear, to_srgb

STEPS = 2**16  # of Y in [0, 1], in a table of L: within 0.01
ROOTS = 2**13  # steps of the square root of linear light, in a table of levels of sRGB: within 0.05


def lightness(picture: Tensor) -> Tensor:
    """Return the lightness of a picture.

    Args:
        picture: gray (1, H, W) or sRGB (3, H, W), uint8, or float in [0, 1]; gray also uint16.

    Returns:
        L (H, W) in [0, 100], float32.
    """
    if picture.is_floating_point():
        return split(picture.expand(3, -1, -1)[None])[0][0, 0]
    from colorgan import kernels  # a slow import

    L = torch.empty(picture.shape[1:])
    if len(picture) == 1:
        table = _gray_lightness(torch.iinfo(picture.dtype).max)
        kernels.gray_lightness(picture[0].numpy(), table.numpy(), L.numpy())
    else:
        kernels.rgb_lightness(picture.numpy(), _luminance().numpy(), _luminance_lightness().numpy(), L.numpy())
    return L


def join_bytes(L: Tensor, ab: Tensor, rgb: Tensor) -> None:
    """Join lightness and color as `color.join` does, and round to 8 bits.

    Args:
        L: (H, W) in [0, 100], float32.
        ab: (2, H, W) in Lab units, float32 and finite.
        rgb: uint8 (H, W, 3), the result: the rounded values of `color.join`, but for a level in one of hundreds.
    """
    from colorgan import kernels  # a slow import

    kernels.join(L.numpy(), ab.numpy(), _srgb().numpy(), rgb.numpy())


# The tables stay in this process for good.


@cache
@torch.inference_mode(False)
def _gray_lightness(white: int) -> Tensor:
    """L of the gray levels 0 to `white`."""
    gray = torch.arange(white + 1) / white
    return split(gray.expand(1, 3, 1, -1))[0].flatten()


@cache
@torch.inference_mode(False)
def _luminance() -> Tensor:
    """What the levels 0 to 255 of R, G and B contribute to the luminance, (3, 256)."""
    return torch.tensor(LUMINANCE)[:, None] * to_linear(torch.arange(256) / 255)


@cache
@torch.inference_mode(False)
def _luminance_lightness() -> Tensor:
    """L of luminance in [0, 1]."""
    gray = to_srgb((torch.arange(STEPS) + 0.5) / STEPS)
    return split(gray.expand(1, 3, 1, -1))[0].flatten()


@cache
@torch.inference_mode(False)
def _srgb() -> Tensor:
    """Levels of sRGB, uint8, of the square root of linear light in [0, 1]."""
    linear = ((torch.arange(ROOTS) + 0.5) / (ROOTS - 1)) ** 2
    return to_srgb(linear).mul(255).round().clamp(0, 255).byte()
