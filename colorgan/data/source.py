"""The interface of a dataset, and the base class of those whose images are files."""

import hashlib
from pathlib import Path
from typing import Protocol

import numpy as np

from colorgan.errors import UserError
from colorgan.imaging import images


class ImageSource(Protocol):
    """An indexed set of images with class labels.

    The constructor takes `root` (a folder or None), `train` (which split) and arguments of its own. The names,
    annotations and defaults of the latter become keys of `data:` in an experiment.
    """

    classes: list[str]

    def __len__(self) -> int:
        """Return the number of images."""

    def label(self, index: int) -> int:
        """Return the image's class, as an index into `classes`."""

    def name(self, index: int) -> str:
        """Return the name of the image for messages: its path, if it has one."""

    def load(self, index: int, size: int) -> np.ndarray:
        """Return the center square of the image, resized to uint8 (3, size, size).

        Raises:
            UserError: the image cannot be read.
        """


class FileSource:
    """Base class of sources whose images are files below one folder; a subclass adds `label`.

    Args:
        root: the folder.
        names: paths of the files, relative to `root`.
        classes: names of the classes, in the order of the labels.
    """

    def __init__(self, root: Path, names: list[str], classes: list[str]):
        self.root = root
        self.names = names
        self.classes = classes

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self.names)

    def name(self, index: int) -> str:
        """Return the path of the file."""
        return str(self.root / self.names[index])

    def load(self, index: int, size: int) -> np.ndarray:
        """Return the center square of the image, resized to uint8 (3, size, size).

        Raises:
            UserError: the image cannot be read.
        """
        return images.thumbnail(self.root / self.names[index], size)


def require_root(root: str | Path | None, purpose: str) -> Path:
    """Return `root` as a path, with ~ expanded.

    Args:
        root: the value of `data.root`.
        purpose: what the folder is for, for the error message.

    Raises:
        UserError: `root` is None.
    """
    if root is None:
        raise UserError(f"data.root is not set: name {purpose}, as in data.root=path/to/folder")
    return Path(root).expanduser()


def digest(source: ImageSource) -> str:
    """Return a digest of the file names and labels of a source, in their order; folders may have other paths."""
    found = hashlib.blake2b(digest_size=8)
    for i in range(len(source)):
        found.update(f"{Path(source.name(i)).name}\0{source.label(i)}\0".encode("utf-8", "surrogateescape"))
    return found.hexdigest()
