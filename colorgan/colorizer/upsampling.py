"""Upsampling of predicted color to the resolution of the photograph, a few rows at a time.

An upsampler is made for one photograph. It maps the lightness L (n, W) in [0, 100] of n of its rows, and the number of
the first of them, to their color ab (2, n, W) in Lab units. So color at full size need not exist at once, and rows can
be computed in parallel.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Upsampling = Literal["guided", "bilinear"]

SIGMA_SPATIAL = 0.5  # in low-resolution pixels, of a window of 3x3
SIGMA_RANGE = 3.0  # in units of L
RANGE_EPSILON = 1e-8  # keeps the weights above 0 where no pixel of the window has a similar lightness
# Gaussians are computed as powers of 2, which are several times as fast as `exp`, and end before denormal numbers.
RANGE_SCALE = 1 / (SIGMA_RANGE * math.sqrt(2 * math.log(2)))
SPATIAL_SCALE = 1 / (SIGMA_SPATIAL * math.sqrt(2 * math.log(2)))
MIN_EXPONENT = -60.0

BLOCK = 2**14  # pixels whose windows are weighted at a time on a CPU, so that they fit into its cache
WINDOWS_KEPT = 16  # rows of low-resolution pixels

Upsampler = Callable[[Tensor, int], Tensor]


class Bilinear:
    """Bilinear upsampling, without a guide; color bleeds across edges.

    Args:
        ab: (1, 2, h, w) in Lab units.
        low_res_L: not used; it makes the signature that of `Guided`.
        shape: H and W, of the photograph. If one is smaller, color is shrunk with antialiasing.
    """

    def __init__(self, ab: Tensor, low_res_L: Tensor, shape: tuple[int, int]):
        height, width = shape
        h = min(ab.shape[-2], height)
        self.wide = F.interpolate(ab, (h, width), mode="bilinear", antialias=True)[0]
        self.y = _centers(height, h, ab.device).clamp(0, h - 1)

    def __call__(self, L: Tensor, first: int) -> Tensor:
        y = self.y[first : first + len(L)]
        above = y.long()
        below = (above + 1).clamp(max=self.wide.shape[1] - 1)
        return torch.lerp(self.wide[:, above], self.wide[:, below], (y - above)[:, None])


class Windows(NamedTuple):
    """The windows of 3x3 low-resolution pixels around all columns of a photograph, in one row of such pixels."""

    rows: Tensor  # (3,) their rows, which may lie one outside
    guide: Tensor  # (3, 3, 1, W), L times RANGE_SCALE; the first two are rows and columns of the window
    ab: Tensor  # (3, 3, 2, 1, W) in Lab units
    floor: Tensor  # (3, 3, W), sums over the columns of RANGE_EPSILON, and of it times ab, with the weight of distance


class Guided:
    """Joint bilateral upsampling (Kopf et al. 2007), which keeps edges sharp.

    The color of a pixel is the weighted mean of the low-resolution colors in a window around it. A weight is the
    product of a Gaussian of the distance and a Gaussian of the difference in lightness.

    Args:
        ab: (1, 2, h, w) in Lab units.
        low_res_L: (1, 1, h, w) in [0, 100], the lightness at the resolution of `ab`.
        shape: H and W, of the photograph, larger than h and w.
    """

    def __init__(self, ab: Tensor, low_res_L: Tensor, shape: tuple[int, int]):
        (h, w), (height, width) = ab.shape[-2:], shape
        self.low_res = torch.cat([RANGE_SCALE * low_res_L, ab], dim=1)[0]  # (3, h, w)
        self.y, x = _centers(height, h, ab.device), _centers(width, w, ab.device)
        self.offsets = torch.arange(-1, 2, device=ab.device)
        self.row, column = self.y.round().long(), x.round().long() + self.offsets[:, None]
        self.column = column.clamp(0, w - 1).flatten()
        self.across = -((SPATIAL_SCALE * (x - column)) ** 2)[:, None]  # (3, 1, W), exponents of the weights of distance
        self.rows = self.row.tolist()
        self.windows = lru_cache(WINDOWS_KEPT)(self._windows)

    def __call__(self, L: Tensor, first: int) -> Tensor:
        rows = max(1, BLOCK // L.shape[1]) if L.device.type == "cpu" else len(L)
        starts = [i for i in range(len(L)) if i % rows == 0 or self.rows[first + i] != self.rows[first + i - 1]]
        blocks = zip(starts, [*starts[1:], len(L)], strict=True)
        return torch.cat([self._filter(L[start:end], first + start) for start, end in blocks], dim=1)

    def _filter(self, L: Tensor, first: int) -> Tensor:
        """Return ab (2, n, W) of rows whose windows are the same."""
        windows = self.windows(self.rows[first])
        down = -((SPATIAL_SCALE * (self.y[first : first + len(L)] - windows.rows[:, None])) ** 2)[:, :, None]
        L = RANGE_SCALE * L
        weight_sum, *ab_sum = torch.einsum("rn,rcw->cnw", torch.exp2(down[..., 0]), windows.floor)
        for i in range(3):
            difference = windows.guide[i] - L  # (3, n, W)
            exponent = torch.addcmul(self.across + down[i], difference, difference, value=-1)
            weights = exponent.clamp_(min=MIN_EXPONENT).exp2_()
            for j in range(3):
                weight_sum += weights[j]
                for channel, low_res in zip(ab_sum, windows.ab[i, j], strict=True):
                    channel.addcmul_(weights[j], low_res)
        return torch.stack(ab_sum).div_(weight_sum)

    def _windows(self, row: int) -> Windows:
        """Return the windows around a row of low-resolution pixels."""
        rows = row + self.offsets
        taken = rows.clamp(0, self.low_res.shape[1] - 1)
        values = self.low_res.index_select(1, taken).index_select(2, self.column).view(3, 3, 3, -1)
        # Where all pixels of a window differ much in lightness, their distance alone decides.
        near = RANGE_EPSILON * torch.exp2(self.across[:, 0])
        floor = torch.stack([(near * channel).sum(dim=1) for channel in (torch.ones_like(values[0]), *values[1:])], 1)
        return Windows(rows, values[0, :, :, None], values[1:].permute(1, 2, 0, 3)[:, :, :, None], floor)


def make_upsampler(name: Upsampling, ab: Tensor, low_res_L: Tensor, shape: tuple[int, int]) -> Upsampler:
    """Make the upsampler of a photograph.

    Args:
        name: "guided" or "bilinear". Color that is not smaller than the photograph needs no guide: it is bilinear.
        ab: (1, 2, h, w) in Lab units.
        low_res_L: (1, 1, h, w) in [0, 100], the lightness at the resolution of `ab`.
        shape: H and W, of the photograph.
    """
    smaller = all(n < full for n, full in zip(ab.shape[-2:], shape, strict=True))
    return (Guided if name == "guided" and smaller else Bilinear)(ab, low_res_L, shape)


def _centers(size: int, low_res_size: int, device: torch.device) -> Tensor:
    """Return the low-resolution coordinates (size,) of the centers of pixels."""
    return (torch.arange(size, device=device) + 0.5) * low_res_size / size - 0.5
