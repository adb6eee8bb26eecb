"""A dataset from a folder of the user's own photographs."""

import hashlib
import heapq
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from colorgan.data.source import FileSource, require_root
from colorgan.errors import UserError, one_line
from colorgan.imaging.finding import find
from colorgan.imaging.formats import SUFFIXES, is_photograph

log = logging.getLogger(__name__)


class ImageFolder(FileSource):
    """The photographs below one or more folders; hidden files and folders are ignored.

    If a folder contains train/ and val/, these are the splits, and the sub-folders of both are the classes. Otherwise
    its sub-folders are the classes, and a hash of each file's path below it assigns the file to a split, so that adding
    a photograph moves no other one. Files outside any sub-folder form one class, named after the folder.

    Args:
        root: the folder.
        train: whether to return the training split or the validation split.
        val_share: share of the photographs to validate on, in [0, 1); unused for folders that contain train/ and val/.
        also: further folders; classes of the same name are one.

    Raises:
        UserError: `root` is not set, or a folder does not exist or holds no photographs.
    """

    def __init__(self, root: str | Path | None, train: bool, val_share: float = 0.1, also: list[str] = []):  # noqa: B006
        if not 0 <= val_share < 1:
            raise ValueError(f"val_share={val_share}: must be at least 0 and below 1")
        found = [_read_folder(require_root(root, "the folder of photographs"), train, val_share)]
        found += [_read_folder(Path(folder).expanduser().absolute(), train, val_share) for folder in also]
        classes = sorted({name for split in found for name in split.classes})
        self._labels = [classes.index(name) for split in found for name in split.labels]
        others = [str(split.folder / file) for split in found[1:] for file in split.files]
        super().__init__(found[0].folder, [*found[0].files, *others], classes)

    def label(self, index: int) -> int:
        """Return the index of the photograph's sub-folder in `classes`."""
        return self._labels[index]


@dataclass
class _Split:
    """A split of a folder: its folder, the files in it, the class of each, and the classes of both splits."""

    folder: Path
    files: list[str]
    labels: list[str]
    classes: set[str]


def _read_folder(root: Path, train: bool, val_share: float) -> _Split:
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; set data.root, or data.also, to folders of photographs")
    splits = [root / "train", root / "val"]
    if all(split.is_dir() for split in splits):
        folder = splits[0 if train else 1]
        files = find_images(folder)
        classes = _list_classes(splits[0]) | _list_classes(splits[1])
    else:
        folder = root
        all_files = find_images(root, quiet=not train)  # both splits list the whole folder
        files = _split_by_hash(all_files, val_share, train)
        classes = {class_from_path(file) for file in all_files}
    own = root.resolve().name  # the class of files outside any sub-folder
    return _Split(folder, files, [class_from_path(file) or own for file in files], {name or own for name in classes})


def find_images(root: Path, quiet: bool = False) -> list[str]:
    """Return the sorted paths, relative to `root`, of all photographs below it.

    What is passed over, and folders that cannot be listed, are logged.

    Args:
        root: the folder.
        quiet: log nothing, because the folder was listed before.

    Raises:
        UserError: there are none.
    """
    found = find(root)
    if not found.names:
        hint = found.unlisted or [
            f"{root}: no photographs in this folder; it needs files as {', '.join(sorted(SUFFIXES))}"
        ]
        raise UserError(hint[0])
    for line in [] if quiet else [*found.unlisted, *found.describe_others(root)]:
        log.warning("%s", one_line(line))
    return found.names


def class_from_path(name: str) -> str:
    """Return the first folder of a relative path, or "" for a file outside any sub-folder."""
    return name.partition("/")[0] if "/" in name else ""


def _list_classes(root: Path) -> set[str]:
    """Return the classes of a folder from its direct entries, without listing the sub-folders."""
    with os.scandir(root) as entries:
        visible = [entry for entry in entries if not entry.name.startswith(".")]
    folders = {entry.name for entry in visible if entry.is_dir()}
    return folders | {"" for entry in visible if entry.is_file() and is_photograph(entry.name)}


def _split_by_hash(names: list[str], val_share: float, train: bool) -> list[str]:
    """Return the `names` of one split, in order.

    Whether a name is in the training or validation split depends on its own hash alone, unless that would leave a
    split empty: then the name with the closest hash moves there. A single name is in both splits.
    """
    if len(names) == 1:
        return names
    hashes = [_hash(name) for name in names]
    threshold = min(max(val_share, min(hashes)), heapq.nlargest(2, hashes)[-1])
    return [name for name, value in zip(names, hashes, strict=True) if (value > threshold) == train]


def _hash(name: str) -> float:
    """Return a number in [0, 1) that is the same on every machine."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48
