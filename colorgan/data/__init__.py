"""Datasets by the names that experiments use, and the module that turns any of them into batches."""

from colorgan.data.folder import Folder
from colorgan.data.module import PhotographData
from colorgan.data.photos import Photos
from colorgan.data.public import Cifar10, Flowers102, Imagenette, Places365
from colorgan.data.source import Source

DATASETS = {
    "photos": Photos,
    "folder": Folder,
    "places365": Places365,
    "cifar10": Cifar10,
    "flowers102": Flowers102,
    "imagenette": Imagenette,
}

__all__ = ["DATASETS", "PhotographData", "Source"]
