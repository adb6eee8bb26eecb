"""What a metric consists of, and the batch of pictures that it measures."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from colorgan.color import split
from colorgan.metrics.bootstrap import Interval, percentile_interval
from colorgan.metrics.functional import ab_bin
from colorgan.metrics.networks import FeatureNetworks, Requirement


class RebalancingWeights:
    """Weights pixels by the inverse frequency of their colors (Zhang, Isola and Efros 2016, section 3.1).

    Args:
        prior: (529,) frequencies of the bins of `ab_bin`; sums to 1.
    """

    def __init__(self, prior: Tensor):
        self.inverse = torch.where(prior > 0, 1 / prior, 0)

    def __call__(self, ab: Tensor) -> Tensor:
        """Compute the weights, ab (B, 2, H, W) in Lab units -> (B, H, W); 0 for a bin of frequency 0."""
        bins = ab_bin(ab)
        return self.inverse.index_select(0, bins.flatten()).view(bins.shape)  # indexing takes several times as long


@dataclass
class Batch:
    """Pictures, true or predicted, and what metrics derive from them; each is computed once, on first use."""

    pixels: Tensor  # uint8 (B, 3, S, S), sRGB
    labels: list[str]  # names of the true classes
    networks: FeatureNetworks
    rebalancing: RebalancingWeights

    @cached_property
    def rgb(self) -> Tensor:
        """(B, 3, S, S) in [0, 1]."""
        return self.pixels.float() / 255

    @cached_property
    def lab(self) -> Tensor:
        """(B, 3, S, S) in Lab units."""
        return torch.cat(split(self.rgb), dim=1)

    @property
    def ab(self) -> Tensor:
        """(B, 2, S, S) in Lab units."""
        return self.lab[:, 1:]

    @cached_property
    def rebalancing_weights(self) -> Tensor:
        """(B, S, S), the inverse frequency of each pixel's color."""
        return self.rebalancing(self.ab)

    @cached_property
    def features_and_logits(self) -> tuple[Tensor, Tensor]:
        """(B, F) and (B, classes) of the classifier."""
        return self.networks.classify(self.pixels)

    @property
    def class_indices(self) -> Tensor:
        """(B,), the true classes as indices of the classifier's logits."""
        return self.networks.class_indices(self.labels)


Measure = Callable[[Batch, Batch], Tensor]
Summary = Callable[[np.ndarray, np.ndarray | None], Interval]


def mean_over_pictures(values: np.ndarray, truth: np.ndarray | None) -> Interval:
    """Compute the mean of (N,) values and its bootstrap interval."""
    return percentile_interval(lambda counts: counts @ values / len(values), len(values))


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric of colorization: how it is computed, summarized over pictures, and reported.

    Attributes:
        title: its name in tables.
        unit: its unit, or "".
        better: the better direction; "near" means near to the value of the true pictures.
        perfect: the value of predictions that equal the truth; None where that is the value of the true pictures.
        definition: what it measures, its range and its source, in a sentence or two.
        measure: maps a batch of predictions and the batch of their truth to (B,) values, or to (B, F) of which
            `summarize` makes one value. Metrics with the same function share what it returns.
        digits: decimals to show; None shows three significant digits.
        summarize: maps what `measure` returned for N predictions, (N, ...), and for the true pictures (None unless
            `measures_truth`), to the result and its interval.
        measures_truth: `measure` ignores its second argument, and is applied to the true pictures as well.
        needs: the network that `measure` uses; where it is missing, so is the metric.
        min_pictures: the fewest pictures that `summarize` can handle.
    """

    title: str
    unit: str = ""
    better: Literal["higher", "lower", "near"]
    perfect: float | None
    definition: str
    measure: Measure
    digits: int | None = 2
    summarize: Summary = mean_over_pictures
    measures_truth: bool = False
    needs: Requirement | None = None
    min_pictures: int = 2

    @property
    def per_picture(self) -> bool:
        """Whether a single picture has a value, so that pictures can be sorted by it."""
        return self.summarize is mean_over_pictures

    def format(self, value: float) -> str:
        """Format a value with the digits of this metric, as in `27.31`, `0.912` and, with three significant, `7.65`."""
        digits = self.digits
        if digits is None:
            digits = min(3, max(0, 2 - math.floor(math.log10(abs(value))))) if value else 0
        return f"{value:z.{digits}f}"
