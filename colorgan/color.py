"""The only place where colors are converted: sRGB <-> CIE Lab (D65), in float32 whatever the autocast.

kornia has these conversions, too, but importing it takes a command 0.1 s and 20 MB: only codecs of hue wait for it.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

TO_XYZ = (  # linear sRGB -> CIE XYZ (IEC 61966-2-1, six digits)
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
FROM_XYZ = (  # its inverse
    (3.2404813432005266, -1.5371515162713185, -0.4985363261688878),
    (-0.9692549499965682, 1.8759900014898907, 0.0415559265582928),
    (0.0556466391351772, -0.2040413383665112, 1.0573110696453443),
)
WHITE = (0.95047, 1.0, 1.08883)  # XYZ of D65, 2 degrees

STRIP = 2**15  # pixels that `by_rows` converts at a time
STEPS = 10  # halvings of the chroma search: chroma is found to 1/1024 of itself
OFFSET_STEPS = 16  # halvings of the search for a lightness: 2 of sRGB's range to 1/32768
ROUNDING = 1e-3  # an sRGB value so far outside [0, 1] is the conversion's own rounding, not a color out of gamut


def split(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Split pictures into lightness and color.

    Args:
        rgb: (B, 3, H, W) sRGB in [0, 1].

    Returns:
        L (B, 1, H, W) in [0, 100] and ab (B, 2, H, W) in Lab units (about -110 to 110), float32.
    """
    with torch.autocast(rgb.device.type, enabled=False):
        lab = _rgb_to_lab(rgb.float())
    return lab[:, :1], lab[:, 1:]


def join(L: Tensor, ab: Tensor) -> Tensor:
    """Join lightness and color; a color outside sRGB loses chroma, but no lightness or hue.

    Clipping RGB instead would change the lightness: Lab (80, -60, -60) would come back at L 84.3.

    Args:
        L: (B, 1, H, W) in [0, 100].
        ab: (B, 2, H, W) in Lab units.

    Returns:
        (B, 3, H, W) sRGB in [0, 1], float32. Its lightness is L to 0.5.
    """
    with torch.autocast(L.device.type, enabled=False):
        lab = torch.cat([L, ab], dim=1).float()
        rgb = _lab_to_rgb(lab)
        outside = ~_in_gamut(rgb, dim=1)  # (B, H, W)
        if outside.any():
            pixels = lab.movedim(1, -1)[outside].T[:, :, None]  # (3, N, 1)
            rgb.movedim(1, -1)[outside] = _lower_chroma(pixels).squeeze(2).T
        return rgb.clamp(0, 1)


def join_unbounded(L: Tensor, ab: Tensor) -> Tensor:
    """As `join`, but a color outside sRGB keeps its chroma and leaves [0, 1], so that a loss can reduce it.

    Chroma that `join` has reduced has no gradient: a discriminator of its results could only change the hue.

    Args:
        L: (B, 1, H, W) in [0, 100].
        ab: (B, 2, H, W) in Lab units.

    Returns:
        (B, 3, H, W) sRGB, float32, not bounded.
    """
    with torch.autocast(L.device.type, enabled=False):
        return _lab_to_rgb(torch.cat([L, ab], dim=1).float())


def by_rows(convert: Callable[..., Tensor], *pictures: Tensor) -> Tensor:
    """Apply a conversion of single pixels to pictures (1, C, H, W) a few rows at a time, which bounds the memory."""
    height, width = pictures[0].shape[-2:]
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        strip = convert(*(picture[:, :, top : top + rows] for picture in pictures))
        if top == 0:
            converted = strip.new_empty(1, strip.shape[1], height, width)
        converted[:, :, top : top + rows] = strip
    return converted


def to_hue_chroma(L: Tensor, ab: Tensor) -> tuple[Tensor, Tensor]:
    """Return hue in [0, 1) and chroma in [0, 1] of the sRGB color, (B, 1, H, W) each.

    Hue is that of HSV, chroma the largest minus the smallest of R, G and B (Larsson et al. 2016).

    Args:
        L: (B, 1, H, W) in [0, 100].
        ab: (B, 2, H, W) in Lab units.
    """
    from kornia.color import rgb_to_hsv

    rgb = join(L, ab)
    chroma = rgb.amax(dim=1, keepdim=True) - rgb.amin(dim=1, keepdim=True)
    return rgb_to_hsv(rgb)[:, :1] / (2 * math.pi) % 1, chroma


def from_hue_chroma(L: Tensor, hue: Tensor, chroma: Tensor) -> Tensor:
    """Return ab (B, 2, H, W) of the sRGB color of this hue, chroma and lightness, which may be out of gamut.

    Hue and chroma give R, G and B up to a common offset. Luminance rises with the offset, so bisection finds it.

    Args:
        L: (B, 1, H, W) in [0, 100].
        hue: (B, 1, H, W) in [0, 1).
        chroma: (B, 1, H, W) in [0, 1].
    """
    from kornia.color import hsv_to_rgb

    with torch.autocast(L.device.type, enabled=False):
        L, hue, chroma = L.float(), hue.float(), chroma.float()
        ones = torch.ones_like(hue)
        shape = chroma * hsv_to_rgb(torch.cat([2 * math.pi * hue, ones, ones], dim=1))
        luminance = _luminance(_lab_to_rgb(torch.cat([L, 0 * L, 0 * L], dim=1)))
        low, high = -ones, ones
        for _ in range(OFFSET_STEPS):
            middle = (low + high) / 2
            dark = _luminance(shape + middle) < luminance
            low, high = torch.where(dark, middle, low), torch.where(dark, high, middle)
        return _rgb_to_lab(shape + (low + high) / 2)[:, 1:]


def _luminance(rgb: Tensor) -> Tensor:
    """Return the relative luminance (B, 1, H, W) of sRGB (B, 3, H, W), which may lie outside [0, 1]."""
    return (_linearize(rgb) * rgb.new_tensor([0.2126, 0.7152, 0.0722]).view(3, 1, 1)).sum(dim=1, keepdim=True)


def in_gamut_bins() -> Tensor:
    """Return the 313 bins of ab of Zhang, Isola and Efros 2016, section 2.1: (313, 2), sorted by a and then b.

    The bins are 10 Lab units wide: the corners of all grid squares that touch the convex hull of all sRGB colors.
    """
    from scipy.spatial import ConvexHull  # only codecs with bins should wait for scipy

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
    """Return the sRGB of (3, N, 1) Lab colors at the largest share of their chroma that is in gamut, by bisection."""
    low = torch.zeros_like(lab[:1])
    high = torch.ones_like(low)
    for _ in range(STEPS):
        middle = (low + high) / 2
        inside = _in_gamut(_scaled(lab, middle), dim=0)
        low = torch.where(inside, middle, low)
        high = torch.where(inside, high, middle)
    return _scaled(lab, low)


def _scaled(lab: Tensor, share: Tensor) -> Tensor:
    return _lab_to_rgb(torch.cat([lab[:1], lab[1:] * share]))


def _rgb_to_lab(rgb: Tensor) -> Tensor:
    """Map sRGB (..., 3, H, W) to Lab (..., 3, H, W), colors outside [0, 1] too."""
    xyz = _mix(TO_XYZ, _linearize(rgb)) / rgb.new_tensor(WHITE)[:, None, None]
    root = torch.where(xyz > 0.008856, xyz.clamp(min=0.008856) ** (1 / 3), 7.787 * xyz + 4 / 29)
    x, y, z = root.unbind(dim=-3)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-3)


def _lab_to_rgb(lab: Tensor) -> Tensor:
    """Map Lab (..., 3, H, W) to sRGB (..., 3, H, W), which leaves [0, 1] where a color is out of gamut."""
    L, a, b = lab.unbind(dim=-3)
    y = (L + 16) / 116
    root = torch.stack([a / 500 + y, y, (y - b / 200).clamp(min=0)], dim=-3)
    xyz = torch.where(root > 0.2068966, root**3, (root - 4 / 29) / 7.787)
    linear = _mix(FROM_XYZ, xyz * lab.new_tensor(WHITE)[:, None, None])
    return torch.where(linear > 0.0031308, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055, 12.92 * linear)


def _linearize(rgb: Tensor) -> Tensor:
    """Undo the transfer function of sRGB (IEC 61966-2-1)."""
    return torch.where(rgb > 0.04045, ((rgb + 0.055).clamp(min=0) / 1.055) ** 2.4, rgb / 12.92)


def _mix(matrix: tuple[tuple[float, ...], ...], colors: Tensor) -> Tensor:
    """Multiply the channels of (..., 3, H, W) by a 3x3 matrix."""
    return torch.einsum("oi,...ihw->...ohw", colors.new_tensor(matrix), colors)
