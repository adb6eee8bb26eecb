"""A folder of the user's own photographs."""

import hashlib
import heapq
import os
from pathlib import Path

from colorgan.data.source import Files, folder_of
from colorgan.errors import UserError
from colorgan.imaging import images


class Folder(Files):
    """Photographs below one folder, with hidden files left alone.

    A root with train/ and val/ is the split, and their sub-folders are the classes; else sub-folders are classes and
    the split is by a hash of the file's name below the root, so that a new photograph moves no other one. Files that
    stand in no sub-folder form one class, named as the root.

    Raises:
        UserError: no such folder, or no photographs in it.
    """

    def __init__(
        self,
        root: str | Path | None,
        train: bool,
        val_share: float = 0.1,  # of the photographs to validate on, where the root has no train/ and val/
    ):
        if not 0 <= val_share < 1:
            raise ValueError(f"val_share={val_share}: a share is at least 0 and below 1")
        root = folder_of(root, "the folder of photographs")
        if not root.is_dir():
            raise UserError(f"{root}: no such folder; set data.root to the folder of photographs")
        halves = [root / "train", root / "val"]
        if all(half.is_dir() for half in halves):
            here = halves[0 if train else 1]
            names = photographs(here)
            classes = _top(halves[0]) | _top(halves[1])
        else:
            here = root
            everything = photographs(root)
            names = _half(everything, val_share, train)
            classes = {class_folder(name) for name in everything}
        self._labels = {name: label for label, name in enumerate(sorted(classes))}
        super().__init__(here, names, [name or root.resolve().name for name in self._labels])

    def label(self, index: int) -> int:
        """The place of the photograph's sub-folder in `classes`."""
        return self._labels[class_folder(self.names[index])]


def photographs(root: Path) -> list[str]:
    """Sorted names, relative to `root`, of all photographs below it."""
    names: list[str] = []
    seen = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:  # a link back up would be walked forever
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = os.path.relpath(folder, root)
        prefix = "" if below == "." else below.replace(os.sep, "/") + "/"
        names += [prefix + file for file in files if _is_photograph(file)]
    if not names:
        raise UserError(
            f"{root}: no photographs in this folder; it needs files as {', '.join(sorted(images.SUFFIXES))}"
        )
    return sorted(names)


def _is_photograph(file: str) -> bool:
    return not file.startswith(".") and os.path.splitext(file)[1].lower() in images.SUFFIXES


def class_folder(name: str) -> str:
    """The first folder of a relative name, or "" for a file that stands in none."""
    return name.partition("/")[0] if "/" in name else ""


def _top(root: Path) -> set[str]:
    """The classes that the folder's own entries make: read without listing what is below."""
    with os.scandir(root) as entries:
        visible = [entry for entry in entries if not entry.name.startswith(".")]
    folders = {entry.name for entry in visible if entry.is_dir()}
    return folders | {"" for entry in visible if entry.is_file() and _is_photograph(entry.name)}


def _half(names: list[str], val_share: float, train: bool) -> list[str]:
    """Those of the sorted `names` that are trained on, or validated on.

    Each name's hash decides on its own. Only where that would leave one half without a photograph, the closest one
    changes sides; a single photograph is in both halves.
    """
    if len(names) == 1:
        return names
    hashes = [_hash(name) for name in names]
    limit = min(max(val_share, min(hashes)), heapq.nlargest(2, hashes)[-1])
    return [name for name, value in zip(names, hashes, strict=True) if (value > limit) == train]


def _hash(name: str) -> float:
    """A number in [0, 1) that depends on the name alone, on any machine."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48
