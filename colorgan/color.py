"""Color conversions between sRGB and CIE Lab (D65), always in float32, also under autocast.

All color conversions of the package are here. kornia has them, too, but importing it costs 0.1 s and 20 MB, so it is
imported only by the functions that convert hue.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

RGB_TO_XYZ = (  # linear sRGB -> CIE XYZ (IEC 61966-2-1, six digits)
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
XYZ_TO_RGB = (  # the inverse of RGB_TO_XYZ
    (3.2404813432005266, -1.5371515162713185, -0.4985363261688878),
    (-0.9692549499965682, 1.8759900014898907, 0.0415559265582928),
    (0.0556466391351772, -0.2040413383665112, 1.0573110696453443),
)
WHITE_XYZ = (0.95047, 1.0, 1.08883)  # D65, 2 degree observer

PIXELS_PER_STRIP = 2**15  # that `by_rows` converts at a time
CHROMA_BISECTIONS = 10  # find the scale of chroma in [0, 1] to 1/1024
OFFSET_BISECTIONS = 16  # find the offset of R, G and B in [-1, 1] to 1/32768
GAMUT_TOLERANCE = 1e-3  # sRGB values this far outside [0, 1] are due to rounding and count as in gamut


def split(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Convert sRGB to Lab and split it into lightness and color.

    Args:
        rgb: (B, 3, H, W) sRGB in [0, 1].

    Returns:
        L (B, 1, H, W) in [0, 100] and ab (B, 2, H, W) in Lab units, about [-110, 110], both float32.
    """
    with torch.autocast(rgb.device.type, enabled=False):
        lab = _rgb_to_lab(rgb.float())
    return lab[:, :1], lab[:, 1:]


def join(L: Tensor, ab: Tensor) -> Tensor:
    """Join lightness and color and convert them to sRGB, reducing the chroma of colors out of gamut.

    The chroma is scaled to the largest value in gamut; lightness and hue are kept. Clipping RGB instead would change
    the lightness: Lab (80, -60, -60) would become L = 84.3.

    Args:
        L: (B, 1, H, W) in [0, 100].
        ab: (B, 2, H, W) in Lab units.

    Returns:
        (B, 3, H, W) sRGB in [0, 1], float32. Its lightness differs from `L` by at most 0.5.
    """
    with torch.autocast(L.device.type, enabled=False):
        lab = torch.cat([L, ab], dim=1).float()
        rgb = _lab_to_rgb(lab)
        outside = ~_in_gamut(rgb, dim=1)  # (B, H, W)
        if outside.any():
            pixels = lab.movedim(1, -1)[outside].T[:, :, None]  # (3, N, 1)
            rgb.movedim(1, -1)[outside] = _reduce_chroma(pixels).squeeze(2).T
        return rgb.clamp(0, 1)


def join_unbounded(L: Tensor, ab: Tensor) -> Tensor:
    """Join lightness and color and convert them to sRGB, leaving [0, 1] where a color is out of gamut.

    `join` passes no gradient to the chroma of a color out of gamut, so a discriminator of its output could only change
    the hue. Here the gradient of the chroma is kept, and a loss can reduce it.

    Args:
        L: (B, 1, H, W) in [0, 100].
        ab: (B, 2, H, W) in Lab units.

    Returns:
        (B, 3, H, W) sRGB, float32, unbounded.
    """
    with torch.autocast(L.device.type, enabled=False):
        return _lab_to_rgb(torch.cat([L, ab], dim=1).float())


def by_rows(convert: Callable[..., Tensor], *pictures: Tensor) -> Tensor:
    """Apply a pixelwise conversion in strips of a few rows, which bounds the memory.

    Args:
        convert: maps tensors (1, C, h, W) to one tensor (1, C', h, W), each pixel on its own.
        pictures: (1, C, H, W) each, the arguments of `convert`.

    Returns:
        (1, C', H, W), the result of `convert(*pictures)`.
    """
    height, width = pictures[0].shape[-2:]
    rows = max(1, PIXELS_PER_STRIP // width)
    for top in range(0, height, rows):
        strip = convert(*(picture[:, :, top : top + rows] for picture in pictures))
        if top == 0:
            converted = strip.new_empty(1, strip.shape[1], height, width)
        converted[:, :, top : top + rows] = strip
    return converted


def to_hue_chroma(L: Tensor, ab: Tensor) -> tuple[Tensor, Tensor]:
    """Convert Lab to the hue of HSV and chroma, max(R, G, B) - min(R, G, B) (Larsson et al. 2016).

    Args:
        L: (B, 1, H, W) in [0, 100].
        ab: (B, 2, H, W) in Lab units.

    Returns:
        hue (B, 1, H, W) in [0, 1) and chroma (B, 1, H, W) in [0, 1].
    """
    from kornia.color import rgb_to_hsv

    rgb = join(L, ab)
    chroma = rgb.amax(dim=1, keepdim=True) - rgb.amin(dim=1, keepdim=True)
    return rgb_to_hsv(rgb)[:, :1] / (2 * math.pi) % 1, chroma


def from_hue_chroma(L: Tensor, hue: Tensor, chroma: Tensor) -> Tensor:
    """Convert lightness, hue and chroma to the ab of Lab, the inverse of `to_hue_chroma`.

    Hue and chroma determine R, G and B up to a common offset. Luminance increases with the offset, so that the offset
    is found by bisection.

    Args:
        L: (B, 1, H, W) in [0, 100].
        hue: (B, 1, H, W) in [0, 1).
        chroma: (B, 1, H, W) in [0, 1].

    Returns:
        (B, 2, H, W) in Lab units. The colors may be out of gamut.
    """
    from kornia.color import hsv_to_rgb

    with torch.autocast(L.device.type, enabled=False):
        L, hue, chroma = L.float(), hue.float(), chroma.float()
        ones = torch.ones_like(hue)
        rgb = chroma * hsv_to_rgb(torch.cat([2 * math.pi * hue, ones, ones], dim=1))
        luminance = _luminance(_lab_to_rgb(torch.cat([L, 0 * L, 0 * L], dim=1)))
        low, high = -ones, ones
        for _ in range(OFFSET_BISECTIONS):
            middle = (low + high) / 2
            too_dark = _luminance(rgb + middle) < luminance
            low, high = torch.where(too_dark, middle, low), torch.where(too_dark, high, middle)
        return _rgb_to_lab(rgb + (low + high) / 2)[:, 1:]


def _luminance(rgb: Tensor) -> Tensor:
    """Return the relative luminance (B, 1, H, W) of sRGB (B, 3, H, W), which may lie outside [0, 1]."""
    return (_linearize(rgb) * rgb.new_tensor([0.2126, 0.7152, 0.0722]).view(3, 1, 1)).sum(dim=1, keepdim=True)


def in_gamut_bins() -> Tensor:
    """Return the centers of the 313 in-gamut bins of ab (Zhang, Isola and Efros 2016, section 2.1).

    The bins are 10 Lab units wide. Their centers are the corners of all grid squares that touch the convex hull of
    the sRGB colors.

    Returns:
        (313, 2) in Lab units, float32, sorted by a, then by b.
    """
    from scipy.spatial import ConvexHull  # a slow import that only codecs with bins need

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
    return ((rgb >= -GAMUT_TOLERANCE) & (rgb <= 1 + GAMUT_TOLERANCE)).all(dim)


def _reduce_chroma(lab: Tensor) -> Tensor:
    """Map Lab (3, N, 1) to sRGB (3, N, 1) with the chroma scaled to the largest in-gamut value, by bisection."""
    low = torch.zeros_like(lab[:1])
    high = torch.ones_like(low)
    for _ in range(CHROMA_BISECTIONS):
        middle = (low + high) / 2
        inside = _in_gamut(_scale_chroma(lab, middle), dim=0)
        low = torch.where(inside, middle, low)
        high = torch.where(inside, high, middle)
    return _scale_chroma(lab, low)


def _scale_chroma(lab: Tensor, scale: Tensor) -> Tensor:
    """Map Lab (3, N, 1) with its chroma times `scale` (1, N, 1) to sRGB (3, N, 1)."""
    return _lab_to_rgb(torch.cat([lab[:1], lab[1:] * scale]))


def _rgb_to_lab(rgb: Tensor) -> Tensor:
    """Map sRGB (..., 3, H, W), which may lie outside [0, 1], to Lab (..., 3, H, W)."""
    xyz = _apply_matrix(RGB_TO_XYZ, _linearize(rgb)) / rgb.new_tensor(WHITE_XYZ)[:, None, None]
    root = torch.where(xyz > 0.008856, xyz.clamp(min=0.008856) ** (1 / 3), 7.787 * xyz + 4 / 29)
    x, y, z = root.unbind(dim=-3)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-3)


def _lab_to_rgb(lab: Tensor) -> Tensor:
    """Map Lab (..., 3, H, W) to sRGB (..., 3, H, W), which leaves [0, 1] where a color is out of gamut."""
    L, a, b = lab.unbind(dim=-3)
    y = (L + 16) / 116
    root = torch.stack([a / 500 + y, y, (y - b / 200).clamp(min=0)], dim=-3)
    xyz = torch.where(root > 0.2068966, root**3, (root - 4 / 29) / 7.787)
    linear = _apply_matrix(XYZ_TO_RGB, xyz * lab.new_tensor(WHITE_XYZ)[:, None, None])
    return torch.where(linear > 0.0031308, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055, 12.92 * linear)


def _linearize(rgb: Tensor) -> Tensor:
    """Map sRGB to linear RGB (IEC 61966-2-1)."""
    return torch.where(rgb > 0.04045, ((rgb + 0.055).clamp(min=0) / 1.055) ** 2.4, rgb / 12.92)


def _apply_matrix(matrix: tuple[tuple[float, ...], ...], colors: Tensor) -> Tensor:
    """Multiply the channels of (..., 3, H, W) by a 3x3 matrix."""
    return torch.einsum("oi,...ihw->...ohw", colors.new_tensor(matrix), colors)
