"""Measures every system on every picture, a batch at a time, so that memory stays flat."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from colorgan.data.source import Source
from colorgan.errors import UserError
from colorgan.evaluation.colors import Colors
from colorgan.evaluation.judges import Judges
from colorgan.evaluation.painters import FLOORS, TRUTH, Constant, OtherPicture, Painter
from colorgan.evaluation.reading import batches
from colorgan.evaluation.scoring import Seen, Weights, score, score_alone


@dataclass
class Judged:
    """One value for each picture, metric and system; pictures that any system lacks are left out for all."""

    rows: list[int] = field(default_factory=list)  # the pictures' places in the source
    scores: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)  # system, TRUTH -> metric -> (N,)
    rebalanced: dict[str, np.ndarray] = field(default_factory=dict)  # system -> (N,) weighted sums of AuC
    weights: np.ndarray = field(default_factory=lambda: np.zeros(0))  # (N,) the sums of those weights
    features: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)  # system, TRUTH -> metric -> (N, F)
    problems: list[str] = field(default_factory=list)  # a line for each file that was of no use


def floors(colors: Colors) -> list[Painter]:
    """The systems that a colorizer has to beat: no color, and the mean color of the truth everywhere."""
    return [Constant(name, ab) for name, ab in zip(FLOORS, (torch.zeros(2), colors.mean), strict=True)]


def judge(
    source: Source,
    painters: list[Painter],
    colors: Colors,
    size: int,
    judges: Judges,
    progress: Callable[[int], None] = lambda done: None,
) -> Judged:
    """Measures all painters on all pictures.

    Args:
        source: the true pictures.
        painters: what colors them; the floors among them.
        colors: of `look`.
        size: side in pixels of the squares that are judged.
        judges: networks that judge, too.
        progress: called with the number of pictures done.

    Raises:
        UserError: most pictures of a folder show something else than the truth; fewer than two pictures are left.
    """
    judged = Judged(problems=list(colors.problems))
    weigh = Weights(colors.prior)
    scores, features = _Table(len(colors.readable)), _Table(len(colors.readable))
    strange: Counter[str] = Counter()  # system -> pictures that show something else than their names say
    done = 0
    for rows, rgb in batches(source, colors.readable, size, judged.problems.append):
        done += len(rows)
        results = {painter.name: painter.paint(rows, rgb) for painter in painters}
        progress(done)
        _check_names(results, strange, len(colors.readable))
        errors = [picture for pictures in results.values() for picture in pictures if isinstance(picture, UserError)]
        judged.problems += map(str, errors)
        good = [i for i in range(len(rows)) if all(isinstance(pictures[i], Tensor) for pictures in results.values())]
        if not good:
            continue
        painted = {name: torch.stack([pictures[i] for i in good]) for name, pictures in results.items()}
        rows, rgb, first = [rows[i] for i in good], rgb[good], len(judged.rows)
        judged.rows += rows
        truth = Seen(rgb)
        weight = weigh(truth.lab[:, 1:])
        scores.put(TRUTH, first, {"weight": weight.sum(dim=(1, 2))})
        labels = [source.classes[source.label(row)] for row in rows]
        for name, pictures in {**painted, TRUTH: rgb}.items():
            values, found = judges.look(pictures, labels)
            if name == TRUTH:
                values |= score_alone(truth.rgb)
            else:
                values |= score(Seen(pictures), truth, weight) | judges.compare(pictures, rgb)
            scores.put(name, first, values)
            features.put(name, first, found)
    if len(judged.rows) < 2:
        reason = f"; the first problem: {judged.problems[0]}" if judged.problems else ""
        raise UserError(f"{len(judged.rows)} pictures that every system has: no fewer than two are judged{reason}")
    judged.scores, judged.features = scores.cut(len(judged.rows)), features.cut(len(judged.rows))
    judged.rebalanced = {painter.name: judged.scores[painter.name].pop("auc_rebalanced") for painter in painters}
    judged.weights = judged.scores[TRUTH].pop("weight")
    return judged


class _Table:
    """The values of all pictures, in arrays that are there from the first batch on.

    Small tensors kept from each batch would hold the heap open around the large ones: 9 MB a picture of 256 px.
    """

    def __init__(self, count: int):
        self.count = count
        self.arrays: dict[str, dict[str, np.ndarray]] = defaultdict(dict)  # system -> metric -> (count, ...)

    def put(self, name: str, first: int, found: dict[str, Tensor]) -> None:
        """Writes the values (B, ...) of a batch, from the row `first` on."""
        for key, value in found.items():
            if key not in self.arrays[name]:
                self.arrays[name][key] = np.zeros((self.count, *value.shape[1:]))
            self.arrays[name][key][first : first + len(value)] = value.numpy()

    def cut(self, count: int) -> dict[str, dict[str, np.ndarray]]:
        """The first `count` rows of all arrays."""
        return {name: {key: array[:count] for key, array in of.items()} for name, of in self.arrays.items()}


def _check_names(results: dict[str, list[Tensor | UserError]], strange: Counter[str], count: int) -> None:
    """Adds the pictures of a batch that are not what they are named; raises as soon as they are most of all `count`."""
    for name, pictures in results.items():
        others = [picture for picture in pictures if isinstance(picture, OtherPicture)]
        strange[name] += len(others)
        if others and 2 * strange[name] > count:
            raise UserError(
                f"'{name}': {strange[name]} or more of {count} pictures are not what they are named: {others[0]}"
            )
