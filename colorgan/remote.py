"""Checkpoints that lie elsewhere, by an address in place of a path: `hf://owner/name`, `wandb://entity/project/run`."""

import re
from collections.abc import Callable
from pathlib import Path

from colorgan import artifacts, hub
from colorgan.errors import UserError

# Each gets the whole address and returns a local file.
SCHEMES: dict[str, Callable[[str], Path]] = {"hf": hub.fetch, "wandb": artifacts.fetch}


def address(path: str | Path) -> str | None:
    """Return the address that a command was given as a path; None if it is the path of a file.

    Raises:
        UserError: an address of an unknown scheme.
    """
    match = re.match(r"([a-z][a-z0-9+]+):/(/?)(.+)", str(path), re.S)
    if match and match[1] in SCHEMES:
        return f"{match[1]}://{match[3]}"  # a Path has lost one of the slashes
    if match and match[2]:
        raise UserError(f"{path}: unknown scheme '{match[1]}'; there are {', '.join(f'{name}://' for name in SCHEMES)}")
    return None


def fetch(path: str | Path) -> Path:
    """Return the file of a checkpoint: that of an address is fetched, a path is returned as it is.

    Raises:
        UserError: it cannot be had.
    """
    found = address(path)
    return SCHEMES[found.partition(":")[0]](found) if found else Path(path)
