"""One evaluation from start to end: what is judged, measured, summed up and shown."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from colorgan.data.source import Source
from colorgan.evaluation import gallery
from colorgan.evaluation.colors import look
from colorgan.evaluation.judges import Judges
from colorgan.evaluation.judging import Judged, floors, judge
from colorgan.evaluation.page import Shown
from colorgan.evaluation.painters import Painter
from colorgan.evaluation.results import summarize


@dataclass
class Evaluation:
    """What came out."""

    results: dict[str, Any]  # of `results.summarize`
    judged: Judged
    names: list[str]  # of the judged pictures
    shown: list[Shown]


def evaluate(
    source: Source, root: str, painters: list[Painter], judges: Judges, size: int, progress: Callable[[int], None]
) -> Evaluation:
    """Judges the painters and the floors on all pictures of a source.

    Args:
        source: the true pictures.
        root: what to call the source.
        painters: the systems.
        judges: the networks that judge.
        size: side in pixels of the squares that are judged.
        progress: called with the number of pictures done.

    Raises:
        UserError: as `judging.judge`.
    """
    colors = look(source, size)
    painters = [*floors(colors), *painters]
    judged = judge(source, painters, colors, size, judges, progress)
    data = {
        "root": root,
        "size": size,
        "resized": "the square center of each picture, scaled to the size (bicubic), at 8 bits",
        "prior": "the colors of all readable true pictures, each the nearest of 313 bins",
        "mean_ab": [round(float(value), 3) for value in colors.mean],
        "nproc": os.cpu_count(),
        "torch": torch.__version__,
    }
    results = summarize(judged, data, judges.why)
    shown = gallery.paint(judged, source, painters, size, gallery.choose(judged))
    return Evaluation(results, judged, _shortened([source.name(row) for row in judged.rows]), shown)


def _shortened(names: list[str]) -> list[str]:
    """The names without the folders that all have in common."""
    common = os.path.commonpath(map(os.path.dirname, names))
    return [name.removeprefix(common).removeprefix(os.sep) for name in names]
