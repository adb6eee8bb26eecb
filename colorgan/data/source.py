"""What the data module asks of a dataset, and the plain case: photographs that are files."""

from pathlib import Path
from typing import Protocol

import numpy as np

from colorgan.errors import UserError
from colorgan.imaging import images


class Source(Protocol):
    """A dataset: numbered photographs with labels.

    Its constructor takes `root` (a folder or None), `train` (which half of the split) and its own arguments, whose
    defaults and annotations are the keys of `data:` in an experiment.
    """

    classes: list[str]

    def __len__(self) -> int:
        """How many photographs."""

    def label(self, index: int) -> int:
        """The place of the photograph's class in `classes`."""

    def name(self, index: int) -> str:
        """What to call the photograph in a message: its path, where it has one."""

    def load(self, index: int, size: int) -> np.ndarray:
        """The photograph's square center as uint8 (3, size, size); UserError where it cannot be read."""


class Files:
    """Photographs in files below one folder: all of a Source but its labels."""

    def __init__(self, root: Path, names: list[str], classes: list[str]):
        self.root = root
        self.names = names  # relative to `root`
        self.classes = classes

    def __len__(self) -> int:
        """How many photographs."""
        return len(self.names)

    def name(self, index: int) -> str:
        """The file's path."""
        return str(self.root / self.names[index])

    def load(self, index: int, size: int) -> np.ndarray:
        """The photograph's square center as uint8 (3, size, size); UserError where it cannot be read."""
        return images.thumbnail(self.root / self.names[index], size)


def folder_of(root: str | Path | None, purpose: str) -> Path:
    """`root` as a path.

    Raises:
        UserError: it is not set; `purpose` says what for it should be.
    """
    if root is None:
        raise UserError(f"data.root is not set: name {purpose}, as in data.root=path/to/folder")
    return Path(root).expanduser()
