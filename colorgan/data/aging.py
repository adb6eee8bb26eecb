"""Degradations of old photographs as augmentation, for models that will color such photographs.

A model trained on clean lightness alone mistakes film grain for texture and faded contrast for fog. Here the lightness
of an image is degraded like that of an old print while its color is kept, so that the model learns the colors of
degraded images.
"""

import math

import torch
from kornia.enhance import jpeg_codec_differentiable
from kornia.filters import gaussian_blur2d
from torch import Tensor

from colorgan.color import join, split
from colorgan.data.augment import LUMA_WEIGHTS

# Weights of R, G and B on orthochromatic film, in use before the 1920s. It does not respond to red, so that lips and
# bricks are dark and skies are white.
ORTHOCHROMATIC_WEIGHTS = (0.0, 0.55, 0.45)
GAMMA = (0.6, 3.0)  # range of the exponent, from an overexposed print to a day scene as dark as night
MAX_FADING = 0.25  # share of the gray range that black rises, or white falls
MAX_BLUR = 0.015  # standard deviation, as a share of the short side
MAX_GRAIN = 0.08  # standard deviation, as a share of the gray range
JPEG_QUALITY = (25.0, 95.0)


def age(rgb: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Degrade the lightness of a share of the images, each effect with probability 1/2.

    The effects, in this order: orthochromatic film, blur, contrast (gamma), grain, fading and JPEG compression. A sepia
    tone is not among them, because models see lightness alone.

    Args:
        rgb: float (B, 3, H, W) in [0, 1].
        share: probability that an image is degraded, in [0, 1].
        generator: on the CPU.

    Returns:
        float (B, 3, H, W) in [0, 1]: the degraded lightness with the original color, as far as it is in the sRGB gamut.
    """
    _, ab = split(rgb)
    chosen = _bernoulli(rgb, share, generator)
    gray = _to_gray(rgb, _half_uniform(rgb, 0, 1, generator))
    gray = _blur(gray, _half_uniform(rgb, 0, MAX_BLUR, generator))
    low, high = GAMMA
    log_gamma = _half_uniform(rgb, math.log(low), math.log(high), generator)
    gray = gray.clamp(min=1e-4) ** log_gamma.exp()
    noise = torch.randn(gray.shape, generator=generator).to(gray.device)
    gray = gray + noise * _half_uniform(rgb, 0, MAX_GRAIN, generator)
    faded = _bernoulli(rgb, 0.5, generator)
    black = _uniform(rgb, 0, MAX_FADING, generator) * faded
    white = 1 - _uniform(rgb, 0, MAX_FADING, generator) * faded
    gray = (black + (white - black) * gray).clamp(0, 1)
    quality = _uniform(rgb, *JPEG_QUALITY, generator).flatten()
    compressed = jpeg_codec_differentiable(gray.expand(-1, 3, -1, -1), quality)
    gray = torch.where(_bernoulli(rgb, 0.5, generator) > 0, compressed[:, :1], gray)
    L, _ = split(gray.expand(-1, 3, -1, -1))
    return torch.where(chosen > 0, join(L, ab), rgb)


def _to_gray(rgb: Tensor, orthochromatic: Tensor) -> Tensor:
    """Return the gray values (B, 1, H, W) of a film between two types.

    Args:
        rgb: float (B, 3, H, W).
        orthochromatic: (B, 1, 1, 1), from 0 (panchromatic film) to 1 (orthochromatic film).
    """
    start, end = rgb.new_tensor([LUMA_WEIGHTS, ORTHOCHROMATIC_WEIGHTS]).view(2, 1, 3, 1, 1)
    return (rgb * torch.lerp(start, end, orthochromatic)).sum(dim=1, keepdim=True)


def _blur(gray: Tensor, sigma: Tensor) -> Tensor:
    """Apply a Gaussian blur; `sigma` (B, 1, 1, 1) is a share of the short side."""
    side = min(gray.shape[-2:])
    kernel = 2 * round(2 * MAX_BLUR * side) + 3
    return gaussian_blur2d(gray, kernel, (sigma * side).clamp(min=0.05).view(-1, 1).expand(-1, 2), "replicate")


def _uniform(rgb: Tensor, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Draw (B, 1, 1, 1) from [low, high)."""
    return low + (high - low) * torch.rand(len(rgb), 1, 1, 1, generator=generator).to(rgb.device)


def _bernoulli(rgb: Tensor, p: float, generator: torch.Generator) -> Tensor:
    """Draw (B, 1, 1, 1): 1 with probability `p`, else 0."""
    return (torch.rand(len(rgb), 1, 1, 1, generator=generator) < p).float().to(rgb.device)


def _half_uniform(rgb: Tensor, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Draw (B, 1, 1, 1): uniform in [low, high) with probability 1/2, else 0."""
    return _uniform(rgb, low, high, generator) * _bernoulli(rgb, 0.5, generator)
