"""The gallery of an evaluation: which pictures it shows, and their colored versions."""

import itertools
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from colorgan.data.source import ImageSource
from colorgan.evaluation.dataset import read_batches
from colorgan.evaluation.predictors import BASELINES, TRUTH, Predictor, to_uint8
from colorgan.evaluation.scoring import Scores

MAX_ROWS = 96
MAX_SIDE = 128  # pixels of the pictures
EXTREMES = 4  # so many best and so many worst pictures of each predictor are shown, by each of these metrics
EXTREME_METRICS = ("ab_error", "ciede2000", "colorfulness")  # of a protocol without them, all that pictures have


@dataclass(frozen=True)
class GalleryRow:
    """One picture in all its versions."""

    position: int  # among the measured pictures
    pictures: dict[str, Tensor]  # predictor or TRUTH, in the order of the columns -> uint8 (3, S, S)


def choose_rows(scores: Scores) -> list[int]:
    """Choose the pictures to show: the best and worst of each predictor, and the rest evenly spread.

    Returns:
        At most 96 positions among the measured pictures, ascending.
    """
    count = len(scores.indices)
    chosen: dict[int, None] = {}  # a set that keeps its order
    per_picture = scores.per_picture()
    names = [name for name in per_picture if name not in (*BASELINES, TRUTH)]
    measured = list(per_picture[BASELINES[0]])
    metrics = [metric for metric in EXTREME_METRICS if metric in measured] or measured
    for metric, name in itertools.product(metrics, names):
        if len(chosen) < MAX_ROWS // 2:
            order = per_picture[name][metric].argsort(kind="stable").tolist()
            chosen.update(dict.fromkeys(order[:EXTREMES] + order[-EXTREMES:]))
    rest = [position for position in range(count) if position not in chosen]
    free = min(MAX_ROWS - len(chosen), len(rest))
    return sorted([*chosen, *(rest[i * len(rest) // free] for i in range(free))])


def make_gallery(
    scores: Scores, dataset: ImageSource, predictors: list[Predictor], size: int, positions: list[int]
) -> list[GalleryRow]:
    """Color the pictures at `positions` among the measured ones once more, at most 128 px wide.

    They were not kept while they were measured, as it was not known then which are the best and the worst.
    """
    position_of = {scores.indices[position]: position for position in positions}
    rows = []
    for indices, rgb in read_batches(dataset, list(position_of), size, lambda problem: None):
        columns = {predictor.name: predictor.predict(indices, rgb) for predictor in predictors} | {TRUTH: list(rgb)}
        for i, index in enumerate(indices):
            pictures = {name: _shrink(column[i]) for name, column in columns.items()}
            rows.append(GalleryRow(position_of[index], pictures))
    return rows


def _shrink(picture: Tensor) -> Tensor:
    """Scale uint8 (3, S, S) down to at most MAX_SIDE pixels."""
    if picture.shape[-1] <= MAX_SIDE:
        return picture
    small = F.interpolate(picture[None].float() / 255, (MAX_SIDE, MAX_SIDE), mode="bicubic", antialias=True)
    return to_uint8(small[0])
