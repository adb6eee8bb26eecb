"""Which pictures the page shows, and what every system makes of them."""

import itertools

import torch
import torch.nn.functional as F

from colorgan.data.source import Source
from colorgan.evaluation.judging import Judged
from colorgan.evaluation.page import Shown
from colorgan.evaluation.painters import FLOORS, TRUTH, Painter, to_bytes
from colorgan.evaluation.reading import batches

SHOWN = 96  # pictures in the gallery
SIDE = 128  # pixels of their squares, at most
ENDS = 4  # the best and the worst so many of each system by each of these
EXTREMES = ("ab_error", "ciede2000", "colorfulness")


def choose(judged: Judged) -> list[int]:
    """The pictures to show, as places among the judged ones: the best and worst of the systems, and an even spread."""
    count = len(judged.rows)
    chosen: dict[int, None] = {}
    systems = [name for name in judged.scores if name not in (*FLOORS, TRUTH)]
    for metric, name in itertools.product(EXTREMES, systems):
        if len(chosen) < SHOWN // 2:
            order = judged.scores[name][metric].argsort(kind="stable").tolist()
            chosen.update(dict.fromkeys(order[:ENDS] + order[-ENDS:]))
    rest = [place for place in range(count) if place not in chosen]
    free = min(SHOWN - len(chosen), len(rest))
    return sorted([*chosen, *(rest[i * len(rest) // free] for i in range(free))])


def paint(judged: Judged, source: Source, painters: list[Painter], size: int, places: list[int]) -> list[Shown]:
    """The pictures at `places` among the judged ones in all their versions: gray, each system, truth."""
    place_of = {judged.rows[place]: place for place in places}
    shown = []
    for rows, rgb in batches(source, list(place_of), size, lambda problem: None):
        columns = {painter.name: painter.paint(rows, rgb) for painter in painters} | {TRUTH: list(rgb)}
        for i, row in enumerate(rows):
            shown.append(Shown(place_of[row], {name: _small(pictures[i]) for name, pictures in columns.items()}))
    return shown


def _small(picture: torch.Tensor) -> torch.Tensor:
    """At most SIDE pixels, uint8 (3, S, S)."""
    if picture.shape[-1] <= SIDE:
        return picture
    small = F.interpolate(picture[None].float() / 255, (SIDE, SIDE), mode="bicubic", antialias=True)
    return to_bytes(small[0])
