"""The photographs in a folder and its sub-folders, and a line for whatever else is there."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from colorgan.errors import one_line
from colorgan.imaging.formats import is_photograph


@dataclass
class Found:
    """What is in a folder.

    Attributes:
        names: paths of the photographs relative to the folder, with slashes, sorted.
        unlisted: a line for each sub-folder that cannot be listed.
        others: number of further files by their suffix; hidden ones do not count.
    """

    names: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)

    def describe_others(self, root: Path) -> list[str]:
        """Return a line on the files that are passed over; no line if there are none."""
        if not self.others:
            return []
        kinds = ", ".join(f"{count} {suffix or 'without a suffix'}" for suffix, count in self.others.most_common(4))
        more = ", ..." if len(self.others) > 4 else ""
        total = self.others.total()
        return [one_line(f"{root}: {total} other file{'s'[: total > 1]} passed over ({kinds}{more})")]


def find(root: Path, leave_out: Path | None = None) -> Found:
    """List the photographs below a folder.

    Symbolic links are followed, and each folder is listed once. Hidden files and folders are left out.

    Args:
        root: the folder.
        leave_out: a sub-folder to leave out.
    """
    found, seen = Found(), {_identity(leave_out)} if leave_out and leave_out.is_dir() else set()
    seen -= {_identity(root)}
    walk = os.walk(root, followlinks=True, onerror=lambda e: found.unlisted.append(f"{e.filename}: {e.strerror}"))
    for folder, folders, files in walk:
        identity = _identity(folder)
        if identity in seen:  # a link to a parent folder would recurse forever
            folders.clear()
            continue
        seen.add(identity)
        # A folder that a link leads to, too, is listed under its own name, whatever the order of the disk.
        folders[:] = sorted(
            (name for name in folders if not name.startswith(".")),
            key=lambda name: (os.path.islink(os.path.join(folder, name)), name),
        )
        relative = os.path.relpath(folder, root)
        prefix = "" if relative == "." else relative.replace(os.sep, "/") + "/"
        visible = [name for name in files if not name.startswith(".")]
        found.names += [prefix + name for name in visible if is_photograph(name)]
        found.others.update(os.path.splitext(name)[1].lower() for name in visible if not is_photograph(name))
    found.names.sort()
    return found


def _identity(folder: str | Path) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino
