"""Upsampling of predicted color to the resolution of the photograph."""

import itertools
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from colorgan.color import PIXELS_PER_STRIP

Upsampler = Literal["guided", "bilinear"]

WINDOW_RADIUS = 1  # in low-resolution pixels: a 3x3 window
SIGMA_SPATIAL = 0.5  # in low-resolution pixels
SIGMA_RANGE = 3.0  # in units of L
RANGE_EPSILON = 1e-8  # keeps the weights above 0 where no pixel of the window has a similar lightness


def bilinear(ab: Tensor, low_res_L: Tensor, L: Tensor) -> Tensor:
    """Upsample color bilinearly, without a guide; color bleeds across edges.

    Args:
        ab: (1, 2, h, w) in Lab units.
        low_res_L: not used; it makes the signature that of `guided`.
        L: (1, 1, H, W), the lightness of the photograph, of which only the size is used.

    Returns:
        (1, 2, H, W) in Lab units.
    """
    return F.interpolate(ab, L.shape[-2:], mode="bilinear", antialias=True)


def guided(ab: Tensor, low_res_L: Tensor, L: Tensor) -> Tensor:
    """Upsample color by joint bilateral upsampling (Kopf et al. 2007), which keeps edges sharp.

    The color of a pixel is the weighted mean of the low-resolution colors in a window around it. A weight is the
    product of a Gaussian of the distance and a Gaussian of the difference in lightness.

    Args:
        ab: (1, 2, h, w) in Lab units.
        low_res_L: (1, 1, h, w) in [0, 100], the lightness at the resolution of `ab`.
        L: (1, 1, H, W) in [0, 100], the lightness of the photograph. Unless both H > h and W > w, `bilinear` is used.

    Returns:
        (1, 2, H, W) in Lab units.
    """
    (h, w), (H, W) = low_res_L.shape[-2:], L.shape[-2:]
    if H <= h or W <= w:
        return bilinear(ab, low_res_L, L)
    rows = max(1, PIXELS_PER_STRIP // W)
    y, x = ((torch.arange(n, device=L.device) + 0.5) * m / n - 0.5 for n, m in ((H, h), (W, w)))
    strips = [_filter_strip(ab, low_res_L, L[..., i : i + rows, :], y[i : i + rows], x) for i in range(0, H, rows)]
    return torch.cat(strips, dim=2)


def _filter_strip(ab: Tensor, low_res_L: Tensor, L: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Apply the joint bilateral filter to a strip of rows of the photograph.

    Args:
        ab: (1, 2, h, w) in Lab units.
        low_res_L: (1, 1, h, w) in [0, 100].
        L: (1, 1, n, W) in [0, 100], the lightness of the strip.
        y: (n,), the low-resolution coordinates of its rows.
        x: (W,), the low-resolution coordinates of its columns.

    Returns:
        (1, 2, n, W) in Lab units.
    """
    color_sum, weight_sum = torch.zeros_like(L).repeat(1, 2, 1, 1), torch.zeros_like(L)
    for dy, dx in itertools.product(range(-WINDOW_RADIUS, WINDOW_RADIUS + 1), repeat=2):
        row, column = y.round().long() + dy, x.round().long() + dx
        spatial = _gaussian(y - row, SIGMA_SPATIAL)[:, None] * _gaussian(x - column, SIGMA_SPATIAL)
        pixels = (..., row.clamp(0, low_res_L.shape[-2] - 1)[:, None], column.clamp(0, low_res_L.shape[-1] - 1))
        weight = spatial * (_gaussian(low_res_L[pixels] - L, SIGMA_RANGE) + RANGE_EPSILON)
        color_sum += weight * ab[pixels]
        weight_sum += weight
    return color_sum / weight_sum


def _gaussian(x: Tensor, sigma: float) -> Tensor:
    return torch.exp(-(x**2) / (2 * sigma**2))


UPSAMPLERS = {"guided": guided, "bilinear": bilinear}
