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
from colorgan.transfer import to_device

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
    n = len(rgb)
    chosen = _bernoulli(n, share, generator)
    film = _film_weights(_half_uniform(n, 0, 1, generator))
    sigma = _half_uniform(n, 0, MAX_BLUR, generator)
    log_gamma = _half_uniform(n, *map(math.log, GAMMA), generator)
    noise = torch.randn(n, 1, *rgb.shape[-2:], generator=generator)
    grain = _half_uniform(n, 0, MAX_GRAIN, generator)
    faded = _bernoulli(n, 0.5, generator)
    black, white = _uniform(n, 0, MAX_FADING, generator) * faded, 1 - _uniform(n, 0, MAX_FADING, generator) * faded
    quality = _uniform(n, *JPEG_QUALITY, generator).flatten()
    compressed = _bernoulli(n, 0.5, generator)
    # Moved at once; kornia checks the values of `sigma` and `quality`, which waits for no device while they are here.
    draws = torch.stack([chosen, log_gamma, grain, black, white, compressed])
    chosen, log_gamma, grain, black, white, compressed = to_device(draws, rgb.device)

    _, ab = split(rgb)
    gray = (rgb * to_device(film, rgb.device)).sum(dim=1, keepdim=True)
    gray = _blur(gray, sigma)
    gray = gray.clamp(min=1e-4) ** log_gamma.exp()
    gray = gray + to_device(noise, rgb.device) * grain
    gray = (black + (white - black) * gray).clamp(0, 1)
    jpeg = jpeg_codec_differentiable(gray.expand(-1, 3, -1, -1), quality)
    gray = torch.where(compressed > 0, jpeg[:, :1], gray)
    L, _ = split(gray.expand(-1, 3, -1, -1))
    return torch.where(chosen > 0, join(L, ab), rgb)


def _film_weights(orthochromatic: Tensor) -> Tensor:
    """Return the weights (B, 3, 1, 1) of R, G and B of films between two types.

    Args:
        orthochromatic: (B, 1, 1, 1), from 0 (panchromatic film) to 1 (orthochromatic film).
    """
    start, end = torch.tensor([LUMA_WEIGHTS, ORTHOCHROMATIC_WEIGHTS]).view(2, 1, 3, 1, 1)
    return torch.lerp(start, end, orthochromatic)


def _blur(gray: Tensor, sigma: Tensor) -> Tensor:
    """Apply a Gaussian blur.

    Args:
        gray: (B, 1, H, W).
        sigma: (B, 1, 1, 1) on the CPU, a share of the short side.
    """
    side = min(gray.shape[-2:])
    kernel = 2 * round(2 * MAX_BLUR * side) + 3
    return gaussian_blur2d(gray, kernel, (sigma * side).clamp(min=0.05).view(-1, 1).expand(-1, 2), "replicate")


def _uniform(n: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Draw (n, 1, 1, 1) from [low, high)."""
    return low + (high - low) * torch.rand(n, 1, 1, 1, generator=generator)


def _bernoulli(n: int, p: float, generator: torch.Generator) -> Tensor:
    """Draw (n, 1, 1, 1): 1 with probability `p`, else 0."""
    return (torch.rand(n, 1, 1, 1, generator=generator) < p).float()


def _half_uniform(n: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Draw (n, 1, 1, 1): uniform in [low, high) with probability 1/2, else 0."""
    return _uniform(n, low, high, generator) * _bernoulli(n, 0.5, generator)
