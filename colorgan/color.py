"""The only place where colors are converted: sRGB <-> CIE Lab (D65), in float32 whatever the autocast."""

import math

import numpy as np
import torch
from kornia.color import hsv_to_rgb, lab_to_rgb, rgb_to_hsv, rgb_to_lab, rgb_to_linear_rgb
from scipy.spatial import ConvexHull
from torch import Tensor

STEPS = 10  # halvings of the chroma search: chroma is found to 1/1024 of itself
OFFSET_STEPS = 16  # halvings of the search for a lightness: 2 of sRGB's range to 1/32768
ROUNDING = 1e-3  # an sRGB value so far outside [0, 1] is the conversion's own rounding, not a color out of gamut


def split(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Splits pictures into lightness and color.

    Args:
        rgb: (B, 3, H, W) sRGB in [0, 1].

    Returns:
        L (B, 1, H, W) in [0, 100] and ab (B, 2, H, W) in Lab units (about -110 to 110), float32.
    """
    with torch.autocast(rgb.device.type, enabled=False):
        lab = rgb_to_lab(rgb.float())
    return lab[:, :1], lab[:, 1:]


def join(L: Tensor, ab: Tensor) -> Tensor:
    """Joins lightness and color; a color outside sRGB loses chroma, never lightness or hue.

    Clipping RGB instead would change the lightness: Lab (80, -60, -60) would come back at L 84.3.

    Args:
        L: (B, 1, H, W) in [0, 100].
        ab: (B, 2, H, W) in Lab units.

    Returns:
        (B, 3, H, W) sRGB in [0, 1], float32. Its lightness is L to 0.5.
    """
    with torch.autocast(L.device.type, enabled=False):
        lab = torch.cat([L, ab], dim=1).float()
        rgb = lab_to_rgb(lab, clip=False)
        outside = ~_in_gamut(rgb, dim=1)  # (B, H, W)
        if outside.any():
            pixels = lab.movedim(1, -1)[outside].T[:, :, None]  # (3, N, 1)
            rgb.movedim(1, -1)[outside] = _lower_chroma(pixels).squeeze(2).T
        return rgb.clamp(0, 1)


def join_unbounded(L: Tensor, ab: Tensor) -> Tensor:
    """As `join`, but a color outside sRGB keeps its chroma, and leaves [0, 1]: a loss can pull it back.

    At the edge of sRGB chroma has no gradient. A discriminator that sees clipped colors can only turn their hue.

    Args:
        L: (B, 1, H, W) in [0, 100].
        ab: (B, 2, H, W) in Lab units.

    Returns:
        (B, 3, H, W) sRGB, float32, not bounded.
    """
    with torch.autocast(L.device.type, enabled=False):
        return lab_to_rgb(torch.cat([L, ab], dim=1).float(), clip=False)


def to_hue_chroma(L: Tensor, ab: Tensor) -> tuple[Tensor, Tensor]:
    """Hue in [0, 1) and chroma in [0, 1] of the sRGB color, (B, 1, H, W) each.

    Hue is that of HSV, chroma the largest minus the smallest of R, G and B (Larsson et al. 2016).

    Args:
        L: (B, 1, H, W) in [0, 100].
        ab: (B, 2, H, W) in Lab units.
    """
    rgb = join(L, ab)
    chroma = rgb.amax(dim=1, keepdim=True) - rgb.amin(dim=1, keepdim=True)
    return rgb_to_hsv(rgb)[:, :1] / (2 * math.pi) % 1, chroma


def from_hue_chroma(L: Tensor, hue: Tensor, chroma: Tensor) -> Tensor:
    """The ab (B, 2, H, W) of the sRGB color of this hue, chroma and lightness, which may be out of gamut.

    R, G and B are known up to what is added to all three; luminance rises with that, so bisection finds it.

    Args:
        L: (B, 1, H, W) in [0, 100].
        hue: (B, 1, H, W) in [0, 1).
        chroma: (B, 1, H, W) in [0, 1].
    """
    with torch.autocast(L.device.type, enabled=False):
        L, hue, chroma = L.float(), hue.float(), chroma.float()
        ones = torch.ones_like(hue)
        shape = chroma * hsv_to_rgb(torch.cat([2 * math.pi * hue, ones, ones], dim=1))
        luminance = _luminance(lab_to_rgb(torch.cat([L, 0 * L, 0 * L], dim=1), clip=False))
        low, high = -ones, ones
        for _ in range(OFFSET_STEPS):
            middle = (low + high) / 2
            dark = _luminance(shape + middle) < luminance
            low, high = torch.where(dark, middle, low), torch.where(dark, high, middle)
        return rgb_to_lab(shape + (low + high) / 2)[:, 1:]


def _luminance(rgb: Tensor) -> Tensor:
    """Relative luminance (B, 1, H, W) of sRGB; colors outside [0, 1] continue it."""
    return (rgb_to_linear_rgb(rgb) * rgb.new_tensor([0.2126, 0.7152, 0.0722]).view(3, 1, 1)).sum(dim=1, keepdim=True)


def in_gamut_bins() -> Tensor:
    """The 313 bins of ab, 10 Lab units wide, of Zhang, Isola and Efros 2016, section 2.1: (313, 2), by a and then b.

    They are the corners of all squares of the grid that touch the convex hull of sRGB's colors.
    """
    levels = torch.linspace(0, 1, 9)
    colors = torch.cartesian_prod(levels, levels, levels).T[None, :, None]  # (1, 3, 1, 729)
    ab = split(colors)[1].flatten(2)[0].T.double().numpy()
    hull = ab[ConvexHull(ab).vertices]
    corners = np.array([(-10, -10), (-10, 10), (10, -10), (10, 10)])
    dilated = ConvexHull((hull[:, None] + corners).reshape(-1, 2))
    grid = np.stack(np.meshgrid(*[np.arange(-110, 111, 10)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    inside = (grid @ dilated.equations[:, :2].T + dilated.equations[:, 2] <= 0).all(axis=1)
    return torch.from_numpy(grid[inside]).float()


def _in_gamut(rgb: Tensor, dim: int) -> Tensor:
    return ((rgb >= -ROUNDING) & (rgb <= 1 + ROUNDING)).all(dim)


def _lower_chroma(lab: Tensor) -> Tensor:
    """The sRGB of each (3, N, 1) color at the largest share of its chroma that sRGB holds, by bisection."""
    low = torch.zeros_like(lab[:1])
    high = torch.ones_like(low)
    for _ in range(STEPS):
        middle = (low + high) / 2
        inside = _in_gamut(_scaled(lab, middle), dim=0)
        low = torch.where(inside, middle, low)
        high = torch.where(inside, high, middle)
    return _scaled(lab, low)


def _scaled(lab: Tensor, share: Tensor) -> Tensor:
    return lab_to_rgb(torch.cat([lab[:1], lab[1:] * share]), clip=False)
