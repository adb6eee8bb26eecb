"""The CIEDE2000 color difference, in the precision of its input; that of scikit-image takes three times as long."""

import math

import torch
from torch import Tensor

TURN = 2 * math.pi
TIE = 1e-6  # radians, by which rounding may separate two hues that are opposite to each other


def ciede2000(lab: Tensor, truth: Tensor) -> Tensor:
    """Compute the mean CIEDE2000 color difference (Sharma, Wu and Dalal 2005).

    Args:
        lab: (B, 3, H, W) in Lab units.
        truth: the same shape and range.

    Returns:
        (B,), 0 and above; 1 is just noticeable.
    """
    return _difference(lab, truth).mean(dim=(1, 2))


def _difference(lab: Tensor, truth: Tensor) -> Tensor:
    """Return the difference of each pixel, (B, 3, H, W) each -> (B, H, W). Numbers are the equations of the paper."""
    (L1, a1, b1), (L2, a2, b2) = lab.unbind(dim=1), truth.unbind(dim=1)
    widening = 1.5 - 0.5 * _high_chroma((torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2)  # 1 + G, (2) to (4)
    a1, a2 = a1 * widening, a2 * widening  # (5)
    C1, C2 = torch.hypot(a1, b1), torch.hypot(a2, b2)  # (6)
    h1, h2 = _hue(a1, b1), _hue(a2, b2)  # (7)

    turn = h2 - h1
    crosses = turn.abs() > math.pi + TIE  # the shorter way from one hue to the other passes 0
    turn = turn - TURN * crosses * turn.sign()  # (10)
    dH = 2 * (C1 * C2).sqrt() * torch.sin(turn / 2)  # (11)

    L, C = (L1 + L2) / 2, (C1 + C2) / 2  # (12) and (13)
    h = ((h1 + h2) / 2 + math.pi * crosses) % TURN  # (14); that of a gray, whose hue is any, has no effect
    T = (  # (15)
        1
        - 0.17 * torch.cos(h - math.radians(30))
        + 0.24 * torch.cos(2 * h)
        + 0.32 * torch.cos(3 * h + math.radians(6))
        - 0.20 * torch.cos(4 * h - math.radians(63))
    )
    blueness = torch.exp(-(((h - math.radians(275)) / math.radians(25)) ** 2))
    R_T = -2 * _high_chroma(C) * torch.sin(math.radians(60) * blueness)  # (16), (17) and (21)
    squared = (L - 50) ** 2
    in_L = (L2 - L1) / (1 + 0.015 * squared / (20 + squared).sqrt())  # (8) and (18)
    in_C = (C2 - C1) / (1 + 0.045 * C)  # (9) and (19)
    in_H = dH / (1 + 0.015 * C * T)  # (20)
    return (in_L**2 + in_C**2 + in_H**2 + R_T * in_C * in_H).clamp(min=0).sqrt()  # (22)


def _high_chroma(C: Tensor) -> Tensor:
    """Return 0 for gray, 1 for high chroma: the root of C^7 / (C^7 + 25^7)."""
    cube = (C / 25) ** 3
    power = cube * cube * (C / 25)  # `pow` takes three times as long
    return (power / (power + 1)).sqrt()


def _hue(a: Tensor, b: Tensor) -> Tensor:
    """Return the hue in radians, in [0, 2 pi]."""
    return math.pi + torch.atan2(-b, -a)
