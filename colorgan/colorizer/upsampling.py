"""Upsampling of predicted color to the resolution of the photograph, a few rows at a time.

An upsampler is made for one photograph. It maps the lightness L (n, W) in [0, 100] of n of its rows, and the number of
the first of them, to their color ab (2, n, W) in Lab units. So color at full size need not exist at once, and rows can
be computed in parallel.
"""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Upsampling = Literal["guided", "bilinear"]
Upsampler = Callable[[Tensor, int], Tensor]

SIGMA_SPATIAL = 0.5  # in low-resolution pixels, of a window of 3x3
SIGMA_RANGE = 3.0  # in units of L
RANGE_EPSILON = 1e-8  # keeps the weights above 0 where no pixel of the window has a similar lightness


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
        self.y = _centers(height, h).clamp(0, h - 1)

    def __call__(self, L: Tensor, first: int) -> Tensor:
        y = self.y[first : first + len(L)]
        above = y.long()
        below = (above + 1).clamp(max=self.wide.shape[1] - 1)
        return torch.lerp(self.wide[:, above], self.wide[:, below], (y - above)[:, None])


class Guided:
    """Joint bilateral upsampling (Kopf et al. 2007), which keeps edges sharp.

    The color of a pixel is the weighted mean of the low-resolution colors in a window of 3x3 around it. A weight is the
    product of a Gaussian of the distance and a Gaussian of the difference in lightness.

    Args:
        ab: (1, 2, h, w) in Lab units.
        low_res_L: (1, 1, h, w) in [0, 100], the lightness at the resolution of `ab`.
        shape: H and W, of the photograph, larger than h and w.
    """

    def __init__(self, ab: Tensor, low_res_L: Tensor, shape: tuple[int, int]):
        from colorgan import kernels  # a slow import

        self.low_res = torch.cat([low_res_L, ab], dim=1)[0].numpy()  # (3, h, w)
        (self.rows, self.down), (self.columns, self.across) = (
            _weights_of_distance(_centers(n, low_res)) for n, low_res in zip(shape, ab.shape[-2:], strict=True)
        )
        self.gaussian = kernels.gaussian_table(RANGE_EPSILON)
        self.kernel = kernels.guided

    def __call__(self, L: Tensor, first: int) -> Tensor:
        ab = torch.empty(2, *L.shape)
        rows, down = (x[first : first + len(L)].numpy() for x in (self.rows, self.down))
        columns, across = self.columns.numpy(), self.across.numpy()
        window = rows, down, columns, across, self.low_res
        self.kernel(L.numpy(), *window, self.gaussian, SIGMA_RANGE, ab.numpy())
        return ab


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


def _centers(size: int, low_res_size: int) -> Tensor:
    """Return the low-resolution coordinates (size,) of the centers of pixels."""
    return (torch.arange(size) + 0.5) * low_res_size / size - 0.5


def _weights_of_distance(centers: Tensor) -> tuple[Tensor, Tensor]:
    """Return the nearest low-resolution pixel (N,), and the weights (N, 3) of those before, at and after it."""
    nearest = centers.round().long()
    distance = centers[:, None] - (nearest[:, None] + torch.arange(-1, 2))
    return nearest, torch.exp(-((distance / SIGMA_SPATIAL) ** 2) / 2)
