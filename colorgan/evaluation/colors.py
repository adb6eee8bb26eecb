"""What the true colors of a set are like: the floors and the rebalanced AuC depend on all of them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from colorgan.codecs.neighbors import Neighbors
from colorgan.color import in_gamut_bins, split
from colorgan.data.source import Source
from colorgan.errors import UserError
from colorgan.evaluation.reading import batches


@dataclass
class Colors:
    """What the true colors of a set are like."""

    mean: Tensor  # (2,) ab in Lab units
    prior: Tensor  # (313,) how often each in-gamut bin occurs, sums to 1
    readable: list[int]  # places of the pictures that can be read
    problems: list[str]  # a line for each of the others


def look(source: Source, size: int) -> Colors:
    """Reads all true pictures once, before any is judged: the mean color and the prior depend on all of them.

    Raises:
        UserError: fewer than two can be read.
    """
    neighbors = Neighbors(in_gamut_bins(), 1)
    counts, total = torch.zeros(len(neighbors.points), dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    problems: list[str] = []
    readable: list[int] = []
    for rows, rgb in batches(source, range(len(source)), size, problems.append):
        readable += rows
        _, ab = split(rgb.float() / 255)
        counts += torch.bincount(neighbors(ab)[0].flatten(), minlength=len(counts))
        total += ab.double().sum(dim=(0, 2, 3))
    if len(readable) < 2:
        reason = f"; the first problem: {problems[0]}" if problems else ""
        raise UserError(f"{len(readable)} readable pictures: no fewer than two are judged{reason}")
    return Colors((total / counts.sum()).float(), counts / counts.sum(), readable, problems)
