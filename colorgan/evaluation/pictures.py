"""The true pictures that colorizers are judged on: all photographs of a folder."""

from pathlib import Path, PurePosixPath

import numpy as np

from colorgan.data.folder import class_folder, photographs
from colorgan.data.source import Files
from colorgan.errors import UserError
from colorgan.imaging import images


class Album(Files):
    """Every photograph below a folder; its sub-folders are classes.

    Raises:
        UserError: no such folder, or no photographs in it.
    """

    def __init__(self, root: Path):
        if not root.is_dir():
            raise UserError(f"{root}: no such folder of photographs")
        names = photographs(root)
        super().__init__(root, names, sorted({class_folder(name) for name in names}))
        self._labels = {name: label for label, name in enumerate(self.classes)}

    def load(self, index: int, size: int) -> np.ndarray:
        """As that of all files, but the same from a JPEG as from its pixels in another format."""
        return images.thumbnail(self.name(index), size, exact=True)

    def label(self, index: int) -> int:
        """The place of the photograph's sub-folder in `classes`."""
        return self._labels[class_folder(self.names[index])]

    def key(self, index: int) -> str:
        """What a colored version of the photograph is found by: its path in the folder, without the suffix."""
        return str(PurePosixPath(self.names[index]).with_suffix(""))


def judged_folder(root: Path) -> Path:
    """Where the photographs to judge on are: of a set with train/ and val/ the latter, as in training."""
    return root / "val" if (root / "train").is_dir() and (root / "val").is_dir() else root
