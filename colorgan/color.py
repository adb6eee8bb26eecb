"""The only place where colors are converted: sRGB <-> CIE Lab (D65), in float32 whatever the autocast."""

import torch
from kornia.color import lab_to_rgb, rgb_to_lab
from torch import Tensor

STEPS = 10  # halvings of the chroma search: chroma is found to 1/1024 of itself
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
