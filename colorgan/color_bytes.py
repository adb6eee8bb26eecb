"""Color conversions of `color` from and to pixels of few bits, by table: several times as fast, equal to rounding."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from colorgan.color import LUMINANCE, chroma_in_gamut, in_gamut, lab_to_linear, split, to_linear, to_srgb

STEPS = 2**16  # of linear light in [0, 1], in tables of it: within 0.05 levels of sRGB, and 0.01 of L
LEVELS, HUES = 200, 1024  # steps of L and of hue in the table of the largest chroma, between which it is interpolated
LARGEST = 256  # |a| + |b| that no color in gamut reaches


def lightness(picture: Tensor) -> Tensor:
    """Return the lightness of a picture.

    Args:
        picture: gray (1, H, W) or sRGB (3, H, W), uint8, or float in [0, 1]; gray also uint16.

    Returns:
        L (H, W) in [0, 100], float32.
    """
    if picture.is_floating_point():
        return split(picture.expand(3, -1, -1)[None])[0][0, 0]
    if len(picture) == 1:
        return _look_up(_gray_lightness(torch.iinfo(picture.dtype).max), picture[0].int())
    red, green, blue = (_look_up(_luminance(i), channel.int()) for i, channel in enumerate(picture))
    return _look_up(_luminance_lightness(), red.add_(green).add_(blue).mul_(STEPS).int().clamp_(max=STEPS - 1))


def join_bytes(L: Tensor, ab: Tensor) -> Tensor:
    """Join lightness and color as `color.join` does, and round to 8 bits.

    Args:
        L: (H, W) in [0, 100], float32.
        ab: (2, H, W) in Lab units, float32 and finite.

    Returns:
        sRGB (H, W, 3), uint8: the rounded values of `color.join`, but for a level in one of hundreds of pixels.
    """
    lab = L.flatten(), *ab.flatten(1)
    linear = lab_to_linear(*lab)
    outside = (~in_gamut(linear)).nonzero()[:, 0]
    if len(outside):
        reduced = lab_to_linear(*_reduce_chroma(*(channel.index_select(0, outside) for channel in lab)))
        for channel, values in zip(linear, reduced, strict=True):
            channel.index_copy_(0, outside, values)
    channels = [_look_up(_srgb(), channel.mul_(STEPS).clamp_(0, STEPS - 1).int()) for channel in linear]
    if L.device.type == "cpu":
        rgb = torch.from_numpy(np.stack([channel.numpy() for channel in channels], axis=-1))  # ten times as fast
    else:
        rgb = torch.stack(channels, dim=-1)
    return rgb.view(*L.shape, 3)


def _reduce_chroma(L: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Scale the chroma of Lab (N,) to the largest in-gamut value, where it is larger."""
    size = a.abs() + b.abs()
    hue = b / size.clamp(min=1e-6)  # around the diamond of size 1, from -1 over 0 (a = 1), 1 and 2 (a = -1) to 3
    hue = (torch.where(a < 0, 2 - hue, hue) + 1) * (HUES / 4)
    level = L * (LEVELS / 100)
    i, j = level.int().clamp_(max=LEVELS - 1), hue.int().clamp_(max=HUES - 1)
    corner, table = i * (HUES + 1) + j, _largest_chroma().flatten()
    at = [_look_up(table, corner + offset) for offset in (0, 1, HUES + 1, HUES + 2)]
    hue, level = hue - j, level - i
    largest = torch.lerp(torch.lerp(at[0], at[1], hue), torch.lerp(at[2], at[3], hue), level)
    scale = (largest / size).clamp_(max=1)
    return L, a * scale, b * scale


def _look_up(table: Tensor, index: Tensor) -> Tensor:
    """Return table[index], of the shape of `index`."""
    return table.to(index.device).index_select(0, index.flatten()).view(index.shape)


# The tables stay on the CPU, in this process for good.


@cache
@torch.inference_mode(False)
def _gray_lightness(white: int) -> Tensor:
    """L of the gray levels 0 to `white`."""
    gray = torch.arange(white + 1) / white
    return split(gray.expand(1, 3, 1, -1))[0].flatten()


@cache
@torch.inference_mode(False)
def _luminance(channel: int) -> Tensor:
    """What the levels 0 to 255 of a channel contribute to the luminance."""
    return LUMINANCE[channel] * to_linear(torch.arange(256) / 255)


@cache
@torch.inference_mode(False)
def _luminance_lightness() -> Tensor:
    """L of luminance in [0, 1]."""
    gray = to_srgb((torch.arange(STEPS) + 0.5) / STEPS)
    return split(gray.expand(1, 3, 1, -1))[0].flatten()


@cache
@torch.inference_mode(False)
def _srgb() -> Tensor:
    """Levels of sRGB, uint8, of linear light in [0, 1]."""
    return to_srgb((torch.arange(STEPS) + 0.5) / STEPS).mul(255).round().clamp(0, 255).byte()


@cache
@torch.inference_mode(False)
def _largest_chroma() -> Tensor:
    """Largest |a| + |b| in gamut (LEVELS + 1, HUES + 1) by lightness and hue, as `_reduce_chroma` counts them."""
    L = (torch.arange(LEVELS + 1) * (100 / LEVELS))[:, None].expand(-1, HUES + 1)
    hue = (torch.arange(HUES + 1) * (4 / HUES) - 1).expand_as(L)
    b = torch.where(hue > 1, 2 - hue, hue)
    a = torch.where(hue > 1, -1.0, 1.0) * (1 - b.abs())
    return LARGEST * chroma_in_gamut(L, LARGEST * a, LARGEST * b, bisections=14)
