"""What film, time and scanners do to a photograph, for nets that shall color old ones.

A net that has only seen clean lightness takes grain for texture and faded print for fog. Here the lightness of a
picture turns into that of an old print, while its color stays: the net learns what color belongs to the worn picture.
"""

import math

import torch
from kornia.enhance import jpeg_codec_differentiable
from kornia.filters import gaussian_blur2d
from torch import Tensor

from colorgan.color import join, split
from colorgan.data.augment import LUMA

ORTHOCHROMATIC = (0.0, 0.55, 0.45)  # film before the 1920s: blind to red, so lips and bricks are dark and skies white
GAMMA = (0.6, 3.0)  # exponents of contrast curves: a print that is too light, and a day that looks like night
FADING = 0.25  # of the range of gray that black rises, or white falls, at most
BLUR = 0.015  # of the side: the widest standard deviation
GRAIN = 0.08  # of the range of gray: the strongest standard deviation
QUALITY = (25.0, 95.0)  # of JPEG


def age(rgb: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Gives some pictures the lightness of old prints; each effect takes half of those.

    In this order: film blind to red, blur, contrast, grain, fading, JPEG. A sepia tone needs none of its own, because
    nets see lightness alone.

    Args:
        rgb: float (B, 3, H, W) in [0, 1].
        share: of the pictures, in [0, 1].
        generator: on the CPU.

    Returns:
        float (B, 3, H, W) in [0, 1]: the worn lightness with the picture's own color, as far as sRGB holds it.
    """
    _, ab = split(rgb)
    chosen = _chance(rgb, share, generator)
    gray = _film(rgb, _uniform(rgb, 0, 1, generator) * _chance(rgb, 0.5, generator))
    gray = _blur(gray, _uniform(rgb, 0, BLUR, generator) * _chance(rgb, 0.5, generator))
    low, high = GAMMA
    power = _uniform(rgb, math.log(low), math.log(high), generator) * _chance(rgb, 0.5, generator)
    gray = gray.clamp(min=1e-4) ** power.exp()
    noise = torch.randn(gray.shape, generator=generator).to(gray.device)
    gray = gray + noise * _uniform(rgb, 0, GRAIN, generator) * _chance(rgb, 0.5, generator)
    faded = _chance(rgb, 0.5, generator)
    black, white = _uniform(rgb, 0, FADING, generator) * faded, 1 - _uniform(rgb, 0, FADING, generator) * faded
    gray = (black + (white - black) * gray).clamp(0, 1)
    coded = jpeg_codec_differentiable(gray.expand(-1, 3, -1, -1), _uniform(rgb, *QUALITY, generator).flatten())
    gray = torch.where(_chance(rgb, 0.5, generator) > 0, coded[:, :1], gray)
    worn, _ = split(gray.expand(-1, 3, -1, -1))
    return torch.where(chosen > 0, join(worn, ab), rgb)


def _film(rgb: Tensor, old: Tensor) -> Tensor:
    """The gray (B, 1, H, W) of film between panchromatic (`old` (B, 1, 1, 1) is 0) and orthochromatic (1)."""
    new, red_blind = rgb.new_tensor([LUMA, ORTHOCHROMATIC]).view(2, 1, 3, 1, 1)
    return (rgb * torch.lerp(new, red_blind, old)).sum(dim=1, keepdim=True)


def _blur(gray: Tensor, share: Tensor) -> Tensor:
    """Gaussian blur with standard deviations `share` (B, 1, 1, 1) of the side."""
    side = min(gray.shape[-2:])
    kernel = 2 * round(2 * BLUR * side) + 3
    return gaussian_blur2d(gray, kernel, (share * side).clamp(min=0.05).view(-1, 1).expand(-1, 2), "replicate")


def _uniform(rgb: Tensor, low: float, high: float, generator: torch.Generator) -> Tensor:
    """(B, 1, 1, 1) in [low, high)."""
    return low + (high - low) * torch.rand(len(rgb), 1, 1, 1, generator=generator).to(rgb.device)


def _chance(rgb: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """(B, 1, 1, 1): 1 with probability `share`, else 0."""
    return (torch.rand(len(rgb), 1, 1, 1, generator=generator) < share).float().to(rgb.device)
