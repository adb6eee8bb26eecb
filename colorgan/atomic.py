"""Files that are written whole or not at all."""

import os
from pathlib import Path


def unfinished(path: Path) -> Path:
    """Return the name under which a file is written before it gets its own: hidden, in the same folder."""
    return path.with_name(f".{path.name}.part")


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8; after a crash or on a full disk, the old file or the new one is there, whole.

    Raises:
        OSError: it cannot be written.
    """
    part = unfinished(path)
    with part.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
