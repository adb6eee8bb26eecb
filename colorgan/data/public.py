"""Public datasets through torchvision, which downloads them to `root` if there is a network."""

import difflib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from PIL import Image
from torchvision import datasets

from colorgan.data.source import FileSource, require_root
from colorgan.errors import UserError
from colorgan.imaging import images

IMAGENETTE_EDITIONS = ("full", "320px", "160px")


class Places365(FileSource):
    """Places365-Standard at 256 px: 1.8 million photographs of scenes (24 GB), with 100 per class for validation.

    Zhou et al. 2017, "Places: A 10 Million Image Database for Scene Recognition", http://places2.csail.mit.edu.

    Args:
        root: the folder that holds the dataset, or the folder to download it to.
        train: whether to return the training split or the validation split.
        classes: shell patterns of the classes to keep, as in [forest*, park, "*garden*"]. A class is named
            `forest/broadleaf`; the dataset's own list writes it as `/f/forest/broadleaf`.

    Raises:
        UserError: the dataset is incomplete and cannot be downloaded; a pattern matches no class.
    """

    def __init__(self, root: str | Path | None, train: bool, classes: list[str] = ["*"]):  # noqa: B006
        root = require_root(root, "the folder that holds Places365, or to download it to")
        files = (
            "categories_places365.txt, places365_train_standard.txt, places365_val.txt, data_256_standard/ and val_256/"
        )
        split = "train-standard" if train else "val"
        places = _construct(
            "places365", root, files, lambda: datasets.Places365(root, split, small=True, download=True)
        )
        kept = _match_classes([name[3:] for name in places.classes], classes)
        new_label = {places.class_to_idx[f"/{name[0]}/{name}"]: label for label, name in enumerate(kept)}
        chosen = [(file, new_label[label]) for file, label in places.imgs if label in new_label]
        folder = Path(places.images_dir)
        super().__init__(folder, [file[len(str(folder)) + 1 :] for file, _ in chosen], kept)
        self._labels = np.array([label for _, label in chosen], dtype=np.int16)

    def label(self, index: int) -> int:
        """Return the scene's class, as an index into `classes`."""
        return int(self._labels[index])


class Flowers102(FileSource):
    """Oxford 102 Flowers: the official train and val splits, with 1,020 photographs each.

    Nilsback and Zisserman 2008, "Automated Flower Classification over a Large Number of Classes".

    Args:
        root: the folder that holds the dataset, or the folder to download it to.
        train: whether to return the training split or the validation split.

    Raises:
        UserError: the dataset is incomplete and cannot be downloaded.
    """

    def __init__(self, root: str | Path | None, train: bool):
        root = require_root(root, "the folder that holds the flowers, or to download them to")
        files = "flowers-102/jpg/, flowers-102/imagelabels.mat and flowers-102/setid.mat"
        split = "train" if train else "val"
        flowers = _construct("flowers102", root, files, lambda: datasets.Flowers102(root, split, download=True))
        names = [str(file.relative_to(root)) for file in flowers._image_files]
        super().__init__(root, names, list(flowers.classes))
        self._labels = flowers._labels

    def label(self, index: int) -> int:
        """Return the flower's class, as an index into `classes`."""
        return int(self._labels[index])


class Imagenette(FileSource):
    """Imagenette 2 (Howard 2019): ten classes of ImageNet, 9,469 photographs for training and 3,925 for validation.

    Args:
        root: the folder that holds the dataset, or the folder to download it to.
        train: whether to return the training split or the validation split.
        edition: short side of the files: "full" (1.5 GB), "320px" (340 MB) or "160px" (100 MB).

    Raises:
        UserError: the dataset is incomplete and cannot be downloaded.
    """

    def __init__(self, root: str | Path | None, train: bool, edition: str = "320px"):
        if edition not in IMAGENETTE_EDITIONS:
            raise ValueError(f"edition={edition}: must be one of {', '.join(IMAGENETTE_EDITIONS)}")
        root = require_root(root, "the folder that holds Imagenette, or to download it to")
        folder = "imagenette2" if edition == "full" else f"imagenette2-{edition.removesuffix('px')}"
        split = "train" if train else "val"
        nette = _construct(
            "imagenette",
            root,
            f"{folder}/",
            lambda: datasets.Imagenette(root, split, edition, download=not (root / folder).exists()),
        )
        names = [str(Path(file).relative_to(root)) for file, _ in nette._samples]
        super().__init__(root, names, [synonyms[0] for synonyms in nette.classes])
        self._labels = [label for _, label in nette._samples]

    def label(self, index: int) -> int:
        """Return the photograph's class, as an index into `classes`."""
        return self._labels[index]


class Cifar10:
    """CIFAR-10 (Krizhevsky 2009): 50,000 images of 32 px for training, the 10,000 of the test set for validation.

    Args:
        root: the folder that holds the dataset, or the folder to download it to.
        train: whether to return the training split or the test split.

    Raises:
        UserError: the dataset is incomplete and cannot be downloaded.
    """

    def __init__(self, root: str | Path | None, train: bool):
        root = require_root(root, "the folder that holds CIFAR-10, or to download it to")
        cifar = _construct(
            "cifar10", root, "cifar-10-batches-py/", lambda: datasets.CIFAR10(root, train=train, download=True)
        )
        self.classes = list(cifar.classes)
        self._split = "train" if train else "test"
        self._pixels = cifar.data  # uint8 (N, 32, 32, 3)
        self._labels = cifar.targets

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._labels)

    def label(self, index: int) -> int:
        """Return the image's class, as an index into `classes`."""
        return self._labels[index]

    def name(self, index: int) -> str:
        """Return the split and index of the image, as in `cifar10/train/9`."""
        return f"cifar10/{self._split}/{index}"

    def load(self, index: int, size: int) -> np.ndarray:
        """Return the image, resized to uint8 (3, size, size)."""
        return images.thumbnail_of(Image.fromarray(self._pixels[index]), size)


def _construct(name: str, root: Path, files: str, constructor: Callable[[], Any]) -> Any:
    """Return the torchvision dataset that `constructor` makes.

    Args:
        name: the value of `data.name`, for the error message.
        root: the folder of the dataset, for the error message.
        files: what the folder must contain, for the error message.
        constructor: downloads the dataset if needed.

    Raises:
        UserError: one line in place of any exception of `constructor`.
    """
    try:
        with _lock(root):
            return constructor()
    except Exception as error:  # torchvision passes on those of the network, the disk and truncated archives
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(
            f"data.name={name}: not complete in {root}, and it could not be downloaded ({reason}); "
            f"without a network, put {files} there"
        ) from error


def _lock(root: Path) -> AbstractContextManager[Any]:
    """Return a lock of a dataset's folder: one process of a run downloads, and the others then find its files.

    A folder that cannot be written to needs none.
    """
    with suppress(OSError):
        root.mkdir(parents=True, exist_ok=True)
    return FileLock(root / ".colorgan.lock") if os.access(root, os.W_OK) else nullcontext()


def _match_classes(names: list[str], patterns: list[str]) -> list[str]:
    """Return the names that match any of the shell patterns, in order.

    Raises:
        UserError: a pattern matches no name, or there are no patterns.
    """
    unmatched = [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)]
    if unmatched or not patterns:
        close = difflib.get_close_matches(unmatched[0], names, n=3) if unmatched else []
        hint = f"; did you mean {' or '.join(close)}?" if close else ", as in data.classes=[forest*,park]"
        raise UserError(f"data.classes: no class of places365 matches {', '.join(unmatched) or 'an empty list'}{hint}")
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
