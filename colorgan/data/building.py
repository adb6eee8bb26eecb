"""Every dataset by its name in an experiment, and the data module of an experiment."""

from pathlib import Path

from omegaconf import DictConfig

from colorgan import config
from colorgan.data.folder import ImageFolder
from colorgan.data.module import PhotographDataModule
from colorgan.data.photos import SkimagePhotos
from colorgan.data.public import Cifar10, Flowers102, Imagenette, Places365
from colorgan.data.source import ImageSource

DATASETS = {
    "photos": SkimagePhotos,
    "folder": ImageFolder,
    "places365": Places365,
    "cifar10": Cifar10,
    "flowers102": Flowers102,
    "imagenette": Imagenette,
}


def build_data(experiment: DictConfig) -> PhotographDataModule:
    """Build the data module of a resolved experiment."""
    data = experiment.data
    root = Path(data.root).expanduser() if data.root else None

    def make_source(train: bool) -> ImageSource:
        return config.construct(DATASETS, data, root=root, train=train)

    return PhotographDataModule(make_source, data, experiment.seed)
