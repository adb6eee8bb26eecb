"""A whole evaluation: dataset and predictors in, results and gallery out."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from colorgan.data.source import ImageSource
from colorgan.evaluation.dataset import color_statistics
from colorgan.evaluation.gallery import GalleryRow, choose_rows, make_gallery
from colorgan.evaluation.predictors import Predictor, make_baselines
from colorgan.evaluation.protocols import OWN, Protocol
from colorgan.evaluation.results import as_rows, summarize
from colorgan.evaluation.scoring import Scores, score
from colorgan.metrics.networks import FeatureNetworks
from colorgan.metrics.variants import select


@dataclass
class Evaluation:
    """What an evaluation returns."""

    results: dict[str, Any]  # from `results.summarize`
    scores: Scores
    dataset: ImageSource
    predictors: list[Predictor]  # baselines included

    @property
    def names(self) -> list[str]:
        """The names of the measured pictures."""
        return _relative([self.dataset.name(index) for index in self.scores.indices])

    @cached_property
    def gallery(self) -> list[GalleryRow]:
        """Some pictures in all versions, which are colored when they are asked for."""
        size = self.results["data"]["size"]
        return make_gallery(self.scores, self.dataset, self.predictors, size, choose_rows(self.scores))


def evaluate(
    dataset: ImageSource,
    root: str,
    predictors: list[Predictor],
    networks: FeatureNetworks,
    size: int,
    progress: Callable[[int], None],
    protocol: Protocol = OWN,
) -> Evaluation:
    """Evaluate predictors, and the baselines before them, on all pictures of a dataset.

    Args:
        dataset: the true pictures.
        root: what results call the dataset.
        predictors: what is evaluated.
        networks: the networks that metrics need.
        size: side in pixels of the evaluated squares.
        progress: called with the number of pictures done.
        protocol: what is measured; the dataset is prepared by it.

    Raises:
        UserError: as `scoring.score`.
    """
    statistics = color_statistics(dataset, size)
    predictors = [*make_baselines(statistics.mean_ab), *predictors]
    scores = score(dataset, predictors, statistics, size, networks, progress, select(protocol.metrics))
    data = {
        "root": root,
        "size": size,
        "resized": protocol.preparation,
        "prior": "the colors of all readable true pictures, each the nearest of 313 bins",
        "mean_ab": [round(float(value), 3) for value in statistics.mean_ab],
        "nproc": os.cpu_count(),
        "torch": torch.__version__,
    }
    if protocol is not OWN:
        data |= {"protocol": protocol.title, "published_on": protocol.pictures, "source": protocol.source}
    return Evaluation(summarize(scores, data, networks.missing), scores, dataset, predictors)


def log_to_wandb(evaluation: Evaluation, project: str) -> None:
    """Log table, gallery and means as a new run of a project of Weights & Biases.

    The run is online where an API key is known, else offline; WANDB_MODE overrides this.
    """
    import wandb

    # Without an API key, wandb.init in online mode asks for one or fails.
    mode = os.environ.get("WANDB_MODE") or ("online" if wandb.login(prompt=False, verify=False) else "offline")
    columns, *rows = as_rows(evaluation.results)
    names = list(evaluation.gallery[0].pictures)
    with wandb.init(project=project, job_type="evaluate", config=evaluation.results["data"], mode=mode) as run:
        for name, values in evaluation.results["systems"].items():
            means = {key: value["mean"] for key, value in values.items() if value["mean"] is not None}
            run.summary.update({f"evaluation/{name}/{key}": mean for key, mean in means.items()})
        pictures = wandb.Table(columns=["picture", *names])
        for row in evaluation.gallery:
            versions = [wandb.Image(row.pictures[name].permute(1, 2, 0).numpy()) for name in names]
            pictures.add_data(evaluation.names[row.position], *versions)
        run.log({"evaluation/table": wandb.Table(columns=columns, data=rows), "evaluation/gallery": pictures})


def _relative(paths: list[str]) -> list[str]:
    """Return the paths relative to the deepest folder that contains all of them."""
    common = os.path.commonpath(map(os.path.dirname, paths))
    return [path.removeprefix(common).removeprefix(os.sep) for path in paths]
