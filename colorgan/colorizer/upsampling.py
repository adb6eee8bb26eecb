"""Color from the size at which it was predicted to the size of the photograph."""

import itertools
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from colorgan.color import STRIP

Upsampler = Literal["guided", "bilinear"]

REACH = 1  # predicted pixels on each side of the nearest one that a pixel's color may come from
SPATIAL = 0.5  # predicted pixels: a deviation of the distance
RANGE = 3.0  # units of L: a deviation of the lightness
LEAST = 1e-8  # weight of a neighbor of another lightness: it counts where all neighbors are of another


def bilinear(ab: Tensor, small: Tensor, L: Tensor) -> Tensor:
    """Smooth, and so across edges: ab (1, 2, h, w), lightness of any size and L (1, 1, H, W) -> (1, 2, H, W)."""
    return F.interpolate(ab, L.shape[-2:], mode="bilinear", antialias=True)


def guided(ab: Tensor, small: Tensor, L: Tensor) -> Tensor:
    """Joint bilateral upsampling (Kopf et al. 2007): color from near pixels of the same lightness, so edges stay sharp.

    Each pixel's color is a mean of those predicted around it, weighted by their distance and by how close their
    lightness is to the pixel's own.

    Args:
        ab: (1, 2, h, w) in Lab units.
        small: (1, 1, h, w) in [0, 100], the lightness at the size of the prediction.
        L: (1, 1, H, W) in [0, 100], of the photograph. Where it has no more pixels than that, `bilinear` does.

    Returns:
        (1, 2, H, W) in Lab units.
    """
    (h, w), (H, W) = small.shape[-2:], L.shape[-2:]
    if H <= h or W <= w:
        return bilinear(ab, small, L)
    rows = max(1, STRIP // W)
    y, x = ((torch.arange(n, device=L.device) + 0.5) * m / n - 0.5 for n, m in ((H, h), (W, w)))
    parts = [_mean_of_neighbors(ab, small, L[..., i : i + rows, :], y[i : i + rows], x) for i in range(0, H, rows)]
    return torch.cat(parts, dim=2)


def _mean_of_neighbors(ab: Tensor, small: Tensor, L: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """The colors of some rows L (1, 1, n, W), which lie at `y` (n,) and `x` (W,) among the predicted pixels."""
    total, weights = torch.zeros_like(L).repeat(1, 2, 1, 1), torch.zeros_like(L)
    for dy, dx in itertools.product(range(-REACH, REACH + 1), repeat=2):
        row, column = y.round().long() + dy, x.round().long() + dx
        near = _bell(y - row, SPATIAL)[:, None] * _bell(x - column, SPATIAL)
        place = (..., row.clamp(0, small.shape[-2] - 1)[:, None], column.clamp(0, small.shape[-1] - 1))
        weight = near * (_bell(small[place] - L, RANGE) + LEAST)
        total += weight * ab[place]
        weights += weight
    return total / weights


def _bell(distance: Tensor, deviation: float) -> Tensor:
    return torch.exp(-(distance**2) / (2 * deviation**2))


UPSAMPLERS = {"guided": guided, "bilinear": bilinear}
