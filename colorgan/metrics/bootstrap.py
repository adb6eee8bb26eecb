"""95% bootstrap intervals over pictures (Efron 1979): how much a result depends on which pictures are evaluated."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

RESAMPLES = 1000
SLOW_RESAMPLES = 20  # for statistics that take seconds: enough to estimate a standard deviation
CHUNK = 50  # resamples computed at a time, which bounds memory


class Interval(NamedTuple):
    """A result and its 95% interval; low <= mean <= high."""

    mean: float
    low: float
    high: float


def percentile_interval(statistic: Callable[[np.ndarray], np.ndarray], count: int) -> Interval:
    """Compute a statistic and the 2.5th and 97.5th percentile over resamples of the pictures.

    Args:
        statistic: maps (R, N) counts, how often each of R resamples draws each picture, to (R,) results.
        count: N, the number of pictures.
    """
    draws = _draw_counts(count)
    results = [statistic(draws[row : row + CHUNK].astype(float)) for row in range(0, RESAMPLES, CHUNK)]
    low, high = np.percentile(np.concatenate(results), [2.5, 97.5])
    value = float(statistic(np.ones((1, count)))[0])
    # A statistic such as |x| can be smaller than in nearly all resamples: the interval is widened to contain it.
    return Interval(value, min(value, float(low)), max(value, float(high)))


def normal_interval(statistic: Callable[[np.ndarray], np.ndarray], count: int, least: float) -> Interval:
    """Compute a slow statistic and 1.96 standard deviations, estimated from a few resamples, on both sides.

    Percentiles would be wrong for a Fréchet distance: pictures drawn twice make every resample's distance larger.

    Args:
        statistic: as in `percentile_interval`.
        count: N, the number of pictures.
        least: the smallest possible value, where the interval ends.
    """
    draws = _draw_counts(count)[:SLOW_RESAMPLES]
    value, *resampled = statistic(np.concatenate([np.ones((1, count)), draws])).tolist()
    deviation = float(np.std(resampled, ddof=1))
    return Interval(value, max(least, value - 1.96 * deviation), value + 1.96 * deviation)


@lru_cache(maxsize=1)
def _draw_counts(count: int) -> np.ndarray:
    """How often each resample draws each picture, uint8 (R, N): the same for all statistics."""
    rng = np.random.default_rng(0)
    resamples = (rng.integers(count, size=count) for _ in range(RESAMPLES))
    return np.stack([np.bincount(drawn, minlength=count).astype(np.uint8) for drawn in resamples])
