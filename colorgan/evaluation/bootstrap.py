"""How far a result would move with other pictures: 95% bootstrap intervals (Efron 1979)."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

RESAMPLES = 1000
FEW = 20  # resamples of what is slow to compute: enough for a deviation
ROWS = 50  # resamples at a time: bounds the memory


class Interval(NamedTuple):
    """A result and where it lies in 95% of all resamples of the pictures; low <= mean <= high."""

    mean: float
    low: float
    high: float


def interval(statistic: Callable[[np.ndarray], np.ndarray], count: int) -> Interval:
    """The percentile interval of a statistic that depends on the pictures by how often each is drawn.

    Args:
        statistic: maps (R, N) counts of the pictures in R resamples to the (R,) results.
        count: N, the number of pictures.
    """
    draws = _draws(count)
    results = [statistic(draws[row : row + ROWS].astype(float)) for row in range(0, RESAMPLES, ROWS)]
    low, high = np.percentile(np.concatenate(results), [2.5, 97.5])
    value = float(statistic(np.ones((1, count)))[0])
    return Interval(value, min(value, float(low)), max(value, float(high)))  # |x| of an x near 0 lies below all others


@lru_cache(maxsize=1)
def _draws(count: int) -> np.ndarray:
    """How often each picture is in each resample, uint8 (R, N): the same for all statistics."""
    rng = np.random.default_rng(0)
    resamples = (rng.integers(count, size=count) for _ in range(RESAMPLES))
    return np.stack([np.bincount(drawn, minlength=count).astype(np.uint8) for drawn in resamples])


def normal_interval(statistic: Callable[[np.ndarray], float], count: int, least: float) -> Interval:
    """The interval of 1.96 deviations of a slow statistic, over a few resamples, around its value.

    Percentiles would not do for a Fréchet distance: pictures that are drawn twice make every resample's larger.

    Args:
        statistic: maps (N,) places of the drawn pictures to the result.
        count: N, the number of pictures.
        least: the smallest value that there is.
    """
    rng = np.random.default_rng(0)
    value = statistic(np.arange(count))
    deviation = float(np.std([statistic(rng.integers(count, size=count)) for _ in range(FEW)], ddof=1))
    return Interval(value, max(least, value - 1.96 * deviation), value + 1.96 * deviation)
