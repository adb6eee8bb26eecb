"""The datasets that experiments name, and the data module that batches any of them."""

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

__all__ = ["DATASETS", "ImageSource", "PhotographDataModule"]
