"""Reading checkpoints: data only, so that a hostile file cannot run code."""

from pathlib import Path
from typing import Any

import torch

from colorgan.errors import UserError

RELEASED = Path(__file__).resolve().parents[2] / "checkpoints" / "colorgan-scenes.ckpt"  # see its README.md


def read(path: str | Path) -> dict[str, Any]:
    """A checkpoint of colorgan, its tensors mapped from disk.

    Raises:
        UserError: no such file, no checkpoint, one that would need code to load, or not one of ours.
    """
    path = Path(path)
    if path == RELEASED and not path.is_file():
        raise UserError(f"{path}: the released generator stands in a clone of the project; here, name a checkpoint")
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:  # whatever a file of arbitrary bytes brings torch.load to raise
        raise UserError(f"{path}: not a checkpoint, or a broken one; use another epoch of the run") from None
    if not isinstance(content, dict) or not {"experiment", "state_dict"} <= content.keys():
        raise UserError(f"{path}: not a checkpoint of colorgan: it holds no experiment")
    if "${" in str(content["experiment"]):  # OmegaConf would fill it in from the reader's environment
        raise UserError(f"{path}: its experiment asks for values of this machine; it was not written by colorgan")
    return content
