"""The files that come with the package, experiments and released weights, and the folder of those fetched later.

In a clone `experiments/` and `checkpoints/` lie beside the package; a wheel holds them inside.
"""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
RELEASED = "colorgan-album.ckpt"  # the released generator; checkpoints/README.md is its card


def packaged(name: str) -> Path:
    """Return the path of a file or folder that comes with the package, as "experiments"."""
    inside = PACKAGE / name
    return inside if inside.exists() else PACKAGE.parent / name


def released() -> Path:
    """Return the path of the released generator."""
    return packaged("checkpoints") / RELEASED


def experiments() -> dict[str, Path]:
    """Return the packaged experiments: name -> YAML file. `sweep.yaml` beside them configures W&B."""
    files = sorted(packaged("experiments").glob("*.yaml"))
    return {file.stem: file for file in files if file.stem != "sweep"}


def user_cache() -> Path:
    """Return the folder of what is cached for the user: pictures, shards and fetched checkpoints."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "colorgan"
