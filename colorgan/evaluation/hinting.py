"""How much color hints help: PSNR against their number (Zhang et al. 2017, "Real-time user-guided colorization", 4.2)."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from colorgan.color import join, split
from colorgan.colorizer.colorizer import Colorizer
from colorgan.colorizer.hints import Hint
from colorgan.colorizer.suggesting import suggest
from colorgan.metrics.functional import psnr

Places = Literal["random", "suggested"]
PATCH = 6  # pixels, the side of the square whose mean color a hint reveals


def measure_hints(model: Colorizer, picture: Tensor, numbers: Sequence[int], places: Places, seed: int) -> Tensor:
    """Color a picture with more and more hints of its true color.

    Args:
        model: takes hints.
        picture: (3, H, W), sRGB in [0, 1].
        numbers: of hints, rising. The hints of a smaller number are among those of a larger one.
        places: random: drawn by a normal law around the center, whose deviation is a quarter of each side, as in the
            paper; suggested: by `suggest`, one after the other.
        seed: of random places.

    Returns:
        the PSNR in dB for each number.
    """
    generator, hints, results = torch.Generator().manual_seed(seed), [], []
    for number in numbers:
        while len(hints) < number:
            place = suggest(model, picture, hints) if places == "suggested" else _draw(picture, generator)
            hints.append(reveal(picture, place.x, place.y))
        results.append(psnr(model.paint([picture], hints=[hints])[0][None], picture[None])[0])
    return torch.stack(results)


def reveal(picture: Tensor, x: float, y: float) -> Hint:
    """Return a hint of the mean Lab color of a square around a place of a picture (3, H, W), sRGB in [0, 1]."""
    top, left = (min(max(0, round(place) - PATCH // 2), side - PATCH) for place, side in zip((y, x), picture.shape[1:]))
    L, ab = split(picture[None, :, top : top + PATCH, left : left + PATCH])
    color = join(L.mean(dim=(2, 3), keepdim=True), ab.mean(dim=(2, 3), keepdim=True))
    red, green, blue = (255 * color).round().int().flatten().tolist()
    middle = (PATCH - 1) / 2
    return Hint(left + middle, top + middle, (red, green, blue), middle)


def _draw(picture: Tensor, generator: torch.Generator) -> Hint:
    height, width = picture.shape[1:]
    y, x = (
        min(max(0.0, side / 2 + side / 4 * torch.randn((), generator=generator).item()), side - 1)
        for side in (height, width)
    )
    return Hint(x, y, (0, 0, 0))
