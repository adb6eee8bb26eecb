"""From an experiment to its data module."""

from pathlib import Path

from omegaconf import DictConfig

from colorgan import config
from colorgan.data import DATASETS, ImageSource, PhotographDataModule


def build_data(experiment: DictConfig) -> PhotographDataModule:
    """Build the data module of a resolved experiment."""
    data = experiment.data
    root = Path(data.root).expanduser() if data.root else None

    def make_source(train: bool) -> ImageSource:
        return config.construct(DATASETS, data, root=root, train=train)

    return PhotographDataModule(make_source, data, experiment.seed)
