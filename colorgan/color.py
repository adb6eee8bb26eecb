"""Color conversions between sRGB and CIE Lab (D65), in full float32 on every device, also under autocast and TF32.

All color conversions of the package are here, but for those of 8-bit pixels (`color_bytes` and `kernels`).
They consist of elementwise arithmetic with Python numbers: a matrix product would be rounded to TF32 in training on
CUDA, and constant tensors would have to be copied to the device.
"""

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
# The same for XYZ relative to white: X / Xn, Y / Yn, Z / Zn
RGB_TO_RELATIVE_XYZ = tuple(tuple(x / white for x in row) for row, white in zip(RGB_TO_XYZ, WHITE_XYZ, strict=True))
RELATIVE_XYZ_TO_RGB = tuple(tuple(x * white for x, white in zip(row, WHITE_XYZ, strict=True)) for row in XYZ_TO_RGB)
LUMINANCE = RGB_TO_XYZ[1]  # Y of linear sRGB

Channels = tuple[Tensor, Tensor, Tensor]  # of one shape

CHROMA_BISECTIONS = 10  # find the scale of chroma in [0, 1] to 1/1024
OFFSET_BISECTIONS = 16  # find the offset of R, G and B in [-1, 1] to 1/32768
LINE_END, LINE_SLOPE = 0.2068966, 7.787  # the curve of Lab is a line below this cube root, of this slope
# Values of sRGB up to 0.001 outside [0, 1] are due to rounding and count as in gamut. The same bounds of linear sRGB:
GAMUT = (-0.001 / 12.92, ((1.001 + 0.055) / 1.055) ** 2.4)


def split(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Convert sRGB to Lab and split it into lightness and color.

    Args:
        rgb: (B, 3, H, W) sRGB in [0, 1].

    Returns:
        L (B, 1, H, W) in [0, 100] and ab (B, 2, H, W) in Lab units, about [-110, 110], both float32.
    """
    with torch.autocast(rgb.device.type, enabled=False):
        lab = _linear_to_lab(to_linear(rgb.float()))
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
        into_gamut = _into_gamut_sparse if L.device.type == "cpu" else _into_gamut_dense
        linear = into_gamut(*torch.cat([L, ab], dim=1).float().unbind(dim=1))
        return to_srgb(torch.stack(linear, dim=1)).clamp(0, 1)


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
        linear = _lab_to_linear(*torch.cat([L, ab], dim=1).float().unbind(dim=1))
        return to_srgb(torch.stack(linear, dim=1))


def to_hue_chroma(L: Tensor, ab: Tensor) -> tuple[Tensor, Tensor]:
    """Convert Lab to the hue of HSV and chroma, max(R, G, B) - min(R, G, B) (Larsson et al. 2016).

    Args:
        L: (B, 1, H, W) in [0, 100].
        ab: (B, 2, H, W) in Lab units.

    Returns:
        hue (B, 1, H, W) in [0, 1) and chroma (B, 1, H, W) in [0, 1].
    """
    rgb = join(L, ab)
    chroma = rgb.amax(dim=1, keepdim=True) - rgb.amin(dim=1, keepdim=True)
    return _rgb_to_hue(rgb, chroma), chroma


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
    with torch.autocast(L.device.type, enabled=False):
        L, hue, chroma = L.float(), hue.float(), chroma.float()
        rgb = chroma * _hue_to_rgb(hue)
        luminance = _to_light((L + 16) / 116)
        offset = -torch.ones_like(hue)
        for i in range(OFFSET_BISECTIONS):
            middle = offset + 0.5**i
            too_dark = _weighted_sum(LUMINANCE, *to_linear(rgb + middle).split(1, dim=1)) < luminance
            offset = torch.where(too_dark, middle, offset)
        return _linear_to_lab(to_linear(rgb + offset + 0.5**OFFSET_BISECTIONS))[:, 1:]


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


def _lab_to_linear(L: Tensor, a: Tensor, b: Tensor) -> Channels:
    """Map Lab, three tensors of one shape, to linear sRGB, which leaves [0, 1] where a color is out of gamut."""
    y, *offsets = _roots(L, a, b)
    return _roots_to_linear(torch.stack(offsets) + y, _to_light(y))


def _in_gamut(linear: Channels) -> Tensor:
    """Return which colors of linear sRGB are in gamut, bool."""
    r, g, b = linear  # in pairs, as `amin` over channels takes a CPU ten times as long
    low, high = torch.minimum(torch.minimum(r, g), b), torch.maximum(torch.maximum(r, g), b)
    return (low >= GAMUT[0]) & (high <= GAMUT[1])


def _into_gamut_sparse(L: Tensor, a: Tensor, b: Tensor) -> Channels:
    """Map Lab to linear sRGB in gamut, with work only for the pixels out of gamut.

    How many these are is only known where the values are, so that another device would have to be waited for.
    """
    linear = _lab_to_linear(L, a, b)
    outside = (~_in_gamut(linear)).nonzero(as_tuple=True)
    if len(outside[0]):
        for channel, reduced in zip(linear, _reduce_chroma(L[outside], a[outside], b[outside]), strict=True):
            channel[outside] = reduced
    return linear


def _into_gamut_dense(L: Tensor, a: Tensor, b: Tensor) -> Channels:
    """Map Lab to linear sRGB in gamut, with the same operations for any values."""
    linear = _lab_to_linear(L, a, b)
    inside = _in_gamut(linear)
    return tuple(torch.where(inside, *both) for both in zip(linear, _reduce_chroma(L, a, b), strict=True))


def _reduce_chroma(L: Tensor, a: Tensor, b: Tensor) -> Channels:
    """Map Lab to linear sRGB with the chroma scaled to the largest in-gamut value, by bisection."""
    y, *offsets = _roots(L, a, b)
    offsets, luminance = torch.stack(offsets), _to_light(y)
    with torch.no_grad():
        scale = torch.zeros_like(L)
        for i in range(1, CHROMA_BISECTIONS + 1):
            middle = scale + 0.5**i
            inside = _in_gamut(_roots_to_linear(torch.addcmul(y, offsets, middle), luminance))
            scale = torch.where(inside, middle, scale)
    return _roots_to_linear(torch.addcmul(y, offsets, scale), luminance)


def _linear_to_lab(linear: Tensor) -> Tensor:
    """Map linear sRGB (..., 3, H, W), which may lie outside [0, 1], to Lab (..., 3, H, W)."""
    x, y, z = _from_light(_apply_matrix(RGB_TO_RELATIVE_XYZ, linear)).unbind(dim=-3)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-3)


def _roots(L: Tensor, a: Tensor, b: Tensor) -> Channels:
    """Return the cube root of relative Y, and by how much those of X and of Z differ from it."""
    return (L + 16) / 116, a / 500, b / -200


def _roots_to_linear(roots: Tensor, y: Tensor) -> Channels:
    """Map XYZ to linear sRGB, given the cube roots (2, ...) of relative X and Z, and relative Y."""
    x_root, z_root = roots
    z_root = z_root.clamp(min=0)
    x, z = _to_light(torch.stack([x_root, z_root]))
    return tuple(_weighted_sum(row, x, y, z) for row in RELATIVE_XYZ_TO_RGB)


# Each of these curves is a line below a threshold and a power above it. Where the two meet, the curve is the sum of
# both, each clamped to its side, which takes half the time of `torch.where` on a CPU.


def to_linear(rgb: Tensor) -> Tensor:
    """Map sRGB to linear sRGB (IEC 61966-2-1)."""
    return ((rgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4 + (rgb.clamp(max=0.04045) - 0.04045) / 12.92


def to_srgb(linear: Tensor) -> Tensor:
    """Map linear sRGB to sRGB, the inverse of `to_linear`."""
    power = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return power + 12.92 * (linear.clamp(max=0.0031308) - 0.0031308)


def _from_light(xyz: Tensor) -> Tensor:
    """Map relative XYZ to the cube roots of which Lab consists."""
    # these rounded constants leave a gap of 3e-7 at the threshold, 2e-4 of a
    return torch.where(xyz > 0.008856, xyz.clamp(min=0.008856) ** (1 / 3), 7.787 * xyz + 4 / 29)


def _to_light(roots: Tensor) -> Tensor:
    """Map the cube roots of which Lab consists to relative XYZ, the inverse of `_from_light`."""
    return torch.add(roots.clamp(min=LINE_END) ** 3, roots.clamp(max=LINE_END) - LINE_END, alpha=1 / LINE_SLOPE)


def _rgb_to_hue(rgb: Tensor, chroma: Tensor) -> Tensor:
    """Return the hue of HSV (B, 1, H, W) in [0, 1), 0 for gray, of sRGB (B, 3, H, W) with chroma (B, 1, H, W)."""
    r, g, b = rgb.split(1, dim=1)
    sixths = torch.where((r >= g) & (r >= b), g - b, torch.where(g >= b, b - r + 2 * chroma, r - g + 4 * chroma))
    return sixths / chroma.clamp(min=1e-12) / 6 % 1 % 1  # of a tiny negative number, the first remainder rounds to 1


def _hue_to_rgb(hue: Tensor) -> Tensor:
    """Map the hue of HSV (B, 1, H, W) in [0, 1) to sRGB (B, 3, H, W) of full saturation and value."""
    r, g, b = (6 * hue - 3).abs() - 1, 2 - (6 * hue - 2).abs(), 2 - (6 * hue - 4).abs()
    return torch.cat([r, g, b], dim=1).clamp(0, 1)


def _apply_matrix(matrix: tuple[tuple[float, ...], ...], colors: Tensor) -> Tensor:
    """Multiply the channels of (..., 3, H, W) by a 3x3 matrix."""
    return torch.stack([_weighted_sum(row, *colors.unbind(dim=-3)) for row in matrix], dim=-3)


def _weighted_sum(weights: tuple[float, ...], x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Return the sum of three channels, each times its weight."""
    return (weights[0] * x).add_(y, alpha=weights[1]).add_(z, alpha=weights[2])
