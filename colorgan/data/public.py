"""Public datasets through torchvision: downloaded to the root where there is a network."""

import difflib
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torchvision import datasets

from colorgan.data.source import Files, folder_of
from colorgan.errors import UserError
from colorgan.imaging import images

IMAGENETTE = ("full", "320px", "160px")


class Places365(Files):
    """Places365-Standard in its small version (256 px): 1.8 million scenes, 24 GB; validation has 100 of each class.

    Zhou et al. 2017, http://places2.csail.mit.edu. A class is written as `forest/broadleaf` (its list says
    `/f/forest/broadleaf`).

    Raises:
        UserError: not there and not to be downloaded; a pattern that matches no class.
    """

    def __init__(
        self,
        root: str | Path | None,
        train: bool,
        classes: list[str] = ["*"],  # noqa: B006 - shell patterns of the classes to keep, as [forest*, park, "*garden*"]
    ):
        root = folder_of(root, "the folder that holds Places365, or shall")
        files = (
            "categories_places365.txt, places365_train_standard.txt, places365_val.txt, data_256_standard/ and val_256/"
        )
        split = "train-standard" if train else "val"
        places = _build("places365", root, files, lambda: datasets.Places365(root, split, small=True, download=True))
        kept = _matching([name[3:] for name in places.classes], classes)
        new_label = {places.class_to_idx[f"/{name[0]}/{name}"]: label for label, name in enumerate(kept)}
        chosen = [(file, new_label[label]) for file, label in places.imgs if label in new_label]
        here = Path(places.images_dir)
        super().__init__(here, [file[len(str(here)) + 1 :] for file, _ in chosen], kept)
        self._labels = np.array([label for _, label in chosen], dtype=np.int16)

    def label(self, index: int) -> int:
        """The place of the scene in `classes`."""
        return int(self._labels[index])


class Flowers102(Files):
    """Oxford 102 Flowers (Nilsback and Zisserman 2008): its official train and val splits, 1,020 photographs each.

    Raises:
        UserError: not there and not to be downloaded.
    """

    def __init__(self, root: str | Path | None, train: bool):
        root = folder_of(root, "the folder that holds the flowers, or shall")
        files = "flowers-102/jpg/, flowers-102/imagelabels.mat and flowers-102/setid.mat"
        split = "train" if train else "val"
        flowers = _build("flowers102", root, files, lambda: datasets.Flowers102(root, split, download=True))
        names = [str(file.relative_to(root)) for file in flowers._image_files]
        super().__init__(root, names, list(flowers.classes))
        self._labels = flowers._labels

    def label(self, index: int) -> int:
        """The place of the flower in `classes`."""
        return int(self._labels[index])


class Imagenette(Files):
    """Imagenette 2 (Howard 2019): ten classes of ImageNet, 9,469 photographs to train and 3,925 to validate.

    Raises:
        UserError: not there and not to be downloaded.
    """

    def __init__(
        self,
        root: str | Path | None,
        train: bool,
        edition: str = "320px",  # full (1.5 GB), 320px (340 MB) or 160px (100 MB): the short side of its files
    ):
        if edition not in IMAGENETTE:
            raise ValueError(f"edition={edition}: there are {', '.join(IMAGENETTE)}")
        root = folder_of(root, "the folder that holds Imagenette, or shall")
        folder = "imagenette2" if edition == "full" else f"imagenette2-{edition.removesuffix('px')}"
        split = "train" if train else "val"
        download = not (root / folder).exists()
        nette = _build(
            "imagenette", root, f"{folder}/", lambda: datasets.Imagenette(root, split, edition, download=download)
        )
        names = [str(Path(file).relative_to(root)) for file, _ in nette._samples]
        super().__init__(root, names, [names[0] for names in nette.classes])
        self._labels = [label for _, label in nette._samples]

    def label(self, index: int) -> int:
        """The place of the photograph's class in `classes`."""
        return self._labels[index]


class Cifar10:
    """CIFAR-10 (Krizhevsky 2009): 50,000 pictures of 32 px to train, 10,000 to validate (its test set).

    Raises:
        UserError: not there and not to be downloaded.
    """

    def __init__(self, root: str | Path | None, train: bool):
        root = folder_of(root, "the folder that holds CIFAR-10, or shall")
        cifar = _build(
            "cifar10", root, "cifar-10-batches-py/", lambda: datasets.CIFAR10(root, train=train, download=True)
        )
        self.classes = list(cifar.classes)
        self._split = "train" if train else "test"
        self._pixels = cifar.data  # uint8 (N, 32, 32, 3)
        self._labels = cifar.targets

    def __len__(self) -> int:
        """How many pictures."""
        return len(self._labels)

    def label(self, index: int) -> int:
        """The place of the picture's class in `classes`."""
        return self._labels[index]

    def name(self, index: int) -> str:
        """Which picture of which half."""
        return f"cifar10/{self._split}/{index}"

    def load(self, index: int, size: int) -> np.ndarray:
        """The picture as uint8 (3, size, size)."""
        return images.thumbnail_of(Image.fromarray(self._pixels[index]), size)


def _build(name: str, root: Path, files: str, build: Callable[[], Any]) -> Any:
    """The torchvision dataset, or one line that says what is missing where."""
    try:
        return build()
    except Exception as error:  # of the network, the disk, an archive cut short: torchvision lets each through as it is
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(
            f"data.name={name}: not complete in {root}, and it could not be downloaded ({reason}); "
            f"without a network, put {files} there"
        ) from error


def _matching(names: list[str], patterns: list[str]) -> list[str]:
    """The names that match any of the shell patterns, in order.

    Raises:
        UserError: patterns that match none.
    """
    idle = [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)]
    if idle or not patterns:
        close = difflib.get_close_matches(idle[0], names, n=3) if idle else []
        hint = f"; did you mean {' or '.join(close)}?" if close else ", as in data.classes=[forest*,park]"
        raise UserError(f"data.classes: no class of places365 matches {', '.join(idle) or 'an empty list'}{hint}")
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
