"""Colorizers of checkpoints; `reading.py` reads the files."""

from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from colorgan.colorizer.colorizer import Colorizer
from colorgan.colorizer.reading import (
    AVERAGE,
    MODEL,
    MOST_PX,
    averaged_weights,
    bounded,
    build_parts,
    is_classifier,
    is_whole,
    read,
    shareable,
    upgrade,
)
from colorgan.packaged import released

__all__ = [
    "AVERAGE",
    "MODEL",
    "MOST_PX",
    "averaged_weights",
    "bounded",
    "build_colorizer",
    "colorizer_of",
    "is_classifier",
    "is_whole",
    "load",
    "read",
    "shareable",
    "upgrade",
]


def load(path: str | Path | None = None, device: str | torch.device = "cpu") -> Colorizer:
    """Load a trained colorizer.

    Args:
        path: a checkpoint, or the address of one as in "hf://owner/name@revision" or "wandb://entity/project/run:best";
            it carries its experiment, so nothing else is needed. Default: the released generator.
        device: where it colors, as in "cuda".

    Returns:
        the averaged model, in evaluation mode.

    Raises:
        UserError: no such checkpoint, one of another program, or one that this version cannot build.
    """
    path = path or released()
    return colorizer_of(read(path), path).to(device).eval()


def colorizer_of(content: dict[str, Any], path: str | Path) -> Colorizer:
    """Build the averaged Colorizer of what `read` returned; `path` names the file in errors.

    Raises:
        UserError: as `load`.
    """
    return Colorizer.of(content, path)


def build_colorizer(experiment: DictConfig, size: int, **start: Any) -> Colorizer:
    """Build the colorizer of an experiment.

    Args:
        experiment: with the resolved nodes `net` and `codec`.
        size: short side in pixels at which color is predicted.
        start: overrides of `pretrained` and `weights` of a net with a body.

    Raises:
        UserError: values that do not go together; weights that cannot be had.
    """
    return Colorizer(*build_parts(experiment, **start), size)
