"""Every dataset by its name in an experiment, and the data module of an experiment."""

from omegaconf import DictConfig

from colorgan import config
from colorgan.data.folder import ImageFolder
from colorgan.data.module import PhotographDataModule
from colorgan.data.photos import SkimagePhotos
from colorgan.data.public import Cifar10, Flowers102, Imagenette, Places365
from colorgan.data.source import ImageSource
from colorgan.data.stream import ShardedImages

DATASETS = {
    "photos": SkimagePhotos,
    "folder": ImageFolder,
    "places365": Places365,
    "cifar10": Cifar10,
    "flowers102": Flowers102,
    "imagenette": Imagenette,
    "stream": ShardedImages,
}


def build_data(experiment: DictConfig) -> PhotographDataModule:
    """Build the data module of a resolved experiment."""
    data = experiment.data

    def make_source(train: bool) -> ImageSource:
        return config.construct(DATASETS, data, root=data.root or None, train=train)

    return PhotographDataModule(make_source, data, experiment.seed)
