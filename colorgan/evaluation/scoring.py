"""Measuring every predictor on every picture, batch by batch."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from colorgan.data.source import ImageSource
from colorgan.errors import UserError
from colorgan.evaluation.dataset import ColorStatistics, read_batches
from colorgan.evaluation.predictors import TRUTH, Mismatch, Predictor
from colorgan.metrics.metric import Batch, Measure, Metric, RebalancingWeights
from colorgan.metrics.networks import FeatureNetworks
from colorgan.metrics.registry import METRICS


@dataclass
class Scores:
    """What every metric measured on every picture; a picture that one predictor lacks is left out for all."""

    indices: list[int] = field(default_factory=list)  # of the N measured pictures in the dataset
    values: dict[str, dict[Measure, np.ndarray]] = field(default_factory=dict)  # predictor or TRUTH -> (N, ...) each
    problems: list[str] = field(default_factory=list)  # a line for each file that could not be used
    metrics: Mapping[str, Metric] = field(default_factory=lambda: METRICS)  # the ones that were asked for

    def per_picture(self) -> dict[str, dict[str, np.ndarray]]:
        """Return predictor or TRUTH -> key of a metric -> (N,), for the metrics that a single picture has."""
        return {
            name: {
                key: values[metric.measure]
                for key, metric in self.metrics.items()
                if metric.per_picture and metric.measure in values
            }
            for name, values in self.values.items()
        }


def score(
    dataset: ImageSource,
    predictors: list[Predictor],
    statistics: ColorStatistics,
    size: int,
    networks: FeatureNetworks,
    progress: Callable[[int], None] = lambda done: None,
    metrics: Mapping[str, Metric] = METRICS,
) -> Scores:
    """Measure all predictors on all pictures.

    Args:
        dataset: the true pictures.
        predictors: what colors them, baselines included.
        statistics: the colors of the dataset, from `color_statistics`.
        size: side in pixels of the evaluated squares.
        networks: what metrics need beside pixels; metrics whose network is missing are not computed.
        progress: called with the number of pictures done.
        metrics: what is measured.

    Raises:
        UserError: most files of a predictor show other pictures than their names say; fewer than two pictures are left.
    """
    scores = Scores(problems=list(statistics.problems), metrics=metrics)
    # Metrics that share a measure, as FID and KID share features, compute and store it once.
    measures = {m.measure: m.measures_truth for m in metrics.values() if m.needs not in networks.missing}
    rebalancing = RebalancingWeights(statistics.prior)
    arrays = _Arrays(len(statistics.readable))
    mismatches: Counter[str] = Counter()
    done = 0
    for indices, rgb in read_batches(dataset, statistics.readable, size, scores.problems.append):
        done += len(indices)
        results = {predictor.name: predictor.predict(indices, rgb) for predictor in predictors}
        progress(done)
        _check_mismatches(results, mismatches, len(statistics.readable))
        scores.problems += [
            str(result) for part in results.values() for result in part if isinstance(result, UserError)
        ]
        complete = [i for i in range(len(indices)) if all(isinstance(part[i], Tensor) for part in results.values())]
        if not complete:
            continue
        first = len(scores.indices)
        scores.indices += [indices[i] for i in complete]
        labels = [dataset.classes[dataset.label(indices[i])] for i in complete]
        truth = Batch(rgb[complete], labels, networks, rebalancing)
        arrays.write(TRUTH, first, {measure: measure(truth, truth) for measure, alone in measures.items() if alone})
        for name, part in results.items():
            predictions = Batch(torch.stack([part[i] for i in complete]), labels, networks, rebalancing)
            arrays.write(name, first, {measure: measure(predictions, truth) for measure in measures})
    if len(scores.indices) < 2:
        reason = f"; the first problem: {scores.problems[0]}" if scores.problems else ""
        raise UserError(
            f"{len(scores.indices)} pictures that every predictor has: an evaluation needs two or more{reason}"
        )
    scores.values = arrays.cut(len(scores.indices))
    return scores


class _Arrays:
    """What was measured on all pictures, in arrays that are allocated at the first batch.

    Small tensors kept from each batch would hold the heap open around the large ones: 9 MB per picture of 256 px.
    """

    def __init__(self, count: int):
        self.count = count
        self.arrays: dict[str, dict[Measure, np.ndarray]] = defaultdict(dict)  # (count, ...) each

    def write(self, name: str, first: int, values: dict[Measure, Tensor]) -> None:
        """Write the values (B, ...) of a batch, from row `first` on."""
        arrays = self.arrays[name]
        for measure, value in values.items():
            if measure not in arrays:
                arrays[measure] = np.zeros((self.count, *value.shape[1:]))
            arrays[measure][first : first + len(value)] = value.numpy()

    def cut(self, count: int) -> dict[str, dict[Measure, np.ndarray]]:
        """Return the first `count` rows of all arrays."""
        return {name: {key: array[:count] for key, array in of.items()} for name, of in self.arrays.items()}


def _check_mismatches(results: dict[str, list[Tensor | UserError]], mismatches: Counter[str], count: int) -> None:
    """Count the mismatches of a batch; raise as soon as they are most of all `count` pictures of a predictor."""
    for name, part in results.items():
        found = [result for result in part if isinstance(result, Mismatch)]
        mismatches[name] += len(found)
        if found and 2 * mismatches[name] > count:
            raise UserError(
                f"'{name}': {mismatches[name]} or more of {count} pictures are not what they are named: {found[0]}"
            )
