"""How much color hints help: PSNR against their number (Zhang et al. 2017, "Real-time user-guided colorization")."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from colorgan.color import join, split
from colorgan.colorizer.colorizer import Colorizer
from colorgan.colorizer.hints import Hint
from colorgan.colorizer.suggesting import suggest
from colorgan.errors import UserError
from colorgan.evaluation.dataset import EvaluationDataset, read_batches
from colorgan.evaluation.predictors import to_uint8
from colorgan.metrics import psnr
from colorgan.metrics.metric import mean_over_pictures
from colorgan.seeding import seed_of

Places = Literal["random", "suggested"]
NUMBERS: dict[Places, tuple[int, ...]] = {"random": (0, 1, 2, 5, 10, 20, 50, 100), "suggested": tuple(range(11))}
PATCH = 6  # pixels, the side of the square whose mean color a hint reveals


def measure_hints(
    models: Mapping[str, Colorizer],
    dataset: EvaluationDataset,
    size: int,
    places: Places,
    on_progress: Callable[[int], None],
) -> dict[str, Any]:
    """Measure the PSNR of models against the number of hints of the true color.

    Args:
        models: by name; they take hints.
        dataset: the true pictures.
        size: side of their squares in pixels.
        places: random: drawn by a normal law around the center, whose deviation is a quarter of the side, as in the
            paper; suggested: by `suggest`, each after the colors of those before are known.
        on_progress: called with the number of pictures that are done.

    Returns:
        results that JSON can store: the mean and its 95% interval, in dB, for each model and number of hints.

    Raises:
        UserError: no picture can be read, or a model takes no hints.
    """
    for model in models.values():
        model.require_hints()
    notes: list[str] = []
    curves: dict[str, list[Tensor]] = {name: [] for name in models}
    done = 0
    for indices, pixels in read_batches(dataset, range(len(dataset)), size, notes.append):
        for name, model in models.items():
            curves[name].append(hint_curve(model, pixels.float() / 255, places, indices))
        done += len(indices)
        on_progress(done)
    if not done:
        raise UserError(f"{dataset.root}: no photograph in it can be read")
    systems = {}
    for name, parts in curves.items():
        values = torch.cat(parts).double().numpy()
        means = [mean_over_pictures(column, None) for column in values.T]
        systems[name] = {str(n): mean._asdict() for n, mean in zip(NUMBERS[places], means, strict=True)}
    return {"data": str(dataset.root), "pictures": done, "size": size, "hints": places, "psnr": systems, "notes": notes}


def hint_curve(model: Colorizer, pictures: Tensor, places: Places, seeds: list[int]) -> Tensor:
    """Color pictures with more and more hints; those of a smaller number are among those of a larger one.

    Args:
        model: takes hints.
        pictures: (B, 3, S, S), sRGB in [0, 1].
        places: see `measure_hints`.
        seeds: of the random places of each picture.

    Returns:
        the PSNR in dB for each of `NUMBERS`, (B, N).
    """
    generators = [torch.Generator().manual_seed(seed_of(seed)) for seed in seeds]
    hints: list[list[Hint]] = [[] for _ in pictures]
    results = []
    for number in NUMBERS[places]:
        for picture, generator, known in zip(pictures, generators, hints, strict=True):
            while len(known) < number:
                place = suggest(model, picture, known) if places == "suggested" else None
                x, y = (place.x, place.y) if place else _draw(pictures.shape[-1], generator)
                known.append(reveal(picture, x, y))
        colored = torch.stack(model.paint(list(to_uint8(pictures)), hints=hints))  # 8 bits, as for the other metrics
        results.append(psnr(colored / 255, pictures))
    return torch.stack(results, dim=1)


def reveal(picture: Tensor, x: float, y: float) -> Hint:
    """Return a hint of the mean Lab color of a square around a place of a picture (3, H, W), sRGB in [0, 1]."""
    height, width = picture.shape[1:]
    left, top = (min(max(0, round(c) - PATCH // 2), side - PATCH) for c, side in ((x, width), (y, height)))
    L, ab = split(picture[None, :, top : top + PATCH, left : left + PATCH])
    color = join(L.mean(dim=(2, 3), keepdim=True), ab.mean(dim=(2, 3), keepdim=True))
    red, green, blue = (255 * color).round().int().flatten().tolist()
    radius = (PATCH - 1) / 2
    return Hint(left + radius, top + radius, (red, green, blue), radius)


def as_text(results: dict[str, Any]) -> str:
    """Return a table of `measure_hints`."""
    names = list(results["psnr"])
    rows = [["hints", *names]]
    for number in next(iter(results["psnr"].values())):
        cells = [results["psnr"][name][number] for name in names]
        rows.append([number, *(f"{c['mean']:.2f} [{c['low']:.2f}, {c['high']:.2f}]" for c in cells)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _draw(side: int, generator: torch.Generator) -> tuple[float, float]:
    x, y = (side / 2 + side / 4 * torch.randn(2, generator=generator)).clamp(0, side - 1).tolist()
    return x, y
