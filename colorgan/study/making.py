"""Make a study: real photographs, each recolored by every system and with random colors."""

import re
import secrets
import shutil
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from colorgan.color import join, split
from colorgan.errors import UserError
from colorgan.evaluation.dataset import EvaluationDataset
from colorgan.evaluation.predictors import Predictor
from colorgan.imaging import images
from colorgan.study.folder import RANDOM, REAL, Study
from colorgan.study.protocol import Protocol

BATCH = 8  # pictures per call of a system


class MakeResult(NamedTuple):
    """The result of `make`."""

    study: Study
    notes: list[str]  # one line for each picture that was left out


def make(
    root: Path, dataset: EvaluationDataset, predictors: list[Predictor], size: int, seed: int, most: int | None
) -> MakeResult:
    """Paint the pictures of a new study and write its folder, which appears only when it is complete.

    Args:
        root: the folder to make; must not exist.
        dataset: the real photographs.
        predictors: the systems, with unique names.
        size: side of the square pictures in pixels.
        seed: of the choice of pictures, the colors of the vigilance pictures and, later, the sessions.
        most: maximum number of pictures; None takes all that can be read and painted.

    Returns:
        the study, and a note for each picture that was left out.

    Raises:
        UserError: the folder exists or cannot be written; a name is empty or taken; too few pictures are left.
    """
    if root.exists():
        raise UserError(f"{root}: exists already; a study is never overwritten, choose another folder")
    needed = Protocol().pairs
    if (most or len(dataset)) < needed:
        wish = f"--pictures {most}" if most else f"{dataset.root} holds {len(dataset)} photographs"
        raise UserError(f"{wish}: a session shows {needed} different pictures; give {needed} or more")
    systems = _folder_names(predictors)
    part = root.parent / f".{root.name}.{secrets.token_hex(4)}.part"  # a sibling, so that the rename is atomic
    try:
        part.mkdir(parents=True)
        pictures, notes = _paint(part, dataset, dict(zip(systems, predictors, strict=True)), size, seed, most)
        if len(pictures) < needed:
            why = f" (the first that was left out: {notes[0]})" if notes else ""
            raise UserError(f"{dataset.root}: {len(pictures)} pictures are left, and a session shows {needed}{why}")
        study = Study(part, systems, pictures, size, seed, Protocol())
        _paint_vigilance(study)
        study.save()
        part.rename(root)
    except OSError as error:
        raise UserError(f"{root}: cannot be written ({error.strerror})") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return MakeResult(Study(root, systems, pictures, size, seed, Protocol()), notes)


def _folder_names(predictors: list[Predictor]) -> list[str]:
    """Return the names of the systems, with characters replaced that a folder name should not have."""
    names = [re.sub(r"[^\w.-]+", "-", predictor.name).strip("-.") for predictor in predictors]
    for name, count in Counter([*names, REAL, RANDOM, ""]).items():
        if count > 1:
            raise UserError(f"system '{name}': the name is taken or empty; rename the run or the folder of pictures")
    return names


def _paint(
    root: Path, dataset: EvaluationDataset, predictors: dict[str, Predictor], size: int, seed: int, most: int | None
) -> tuple[list[str], list[str]]:
    """Write the real and recolored pictures; return the keys of those written, and notes on those left out."""
    order = np.random.default_rng(seed).permutation(len(dataset)).tolist()
    keys: list[str] = []
    notes: list[str] = []
    while order and len(keys) < (most or len(dataset)):
        batch = order[: min(BATCH, (most or len(dataset)) - len(keys))]
        del order[: len(batch)]
        loaded = {i: truth for i in batch if (truth := _load(dataset, i, size, notes)) is not None}
        if not loaded:
            continue
        indices, rgb = list(loaded), torch.stack(list(loaded.values()))
        painted = {name: predictor.predict(indices, rgb) for name, predictor in predictors.items()}
        for place, index in enumerate(indices):
            versions = {name: pictures[place] for name, pictures in painted.items()}
            wrong = [f"{name}: {picture}" for name, picture in versions.items() if isinstance(picture, UserError)]
            if wrong:
                notes.append(f"left out, {wrong[0]}")
                continue
            for folder, picture in {REAL: rgb[place], **versions}.items():
                _write(root / "pictures" / folder / f"{len(keys):04d}.png", picture)
            keys.append(dataset.key(index))
    return keys, notes


def _load(dataset: EvaluationDataset, index: int, size: int, notes: list[str]) -> Tensor | None:
    try:
        return torch.from_numpy(dataset.load(index, size))
    except UserError as error:
        notes.append(f"left out, {error}")
        return None


def _paint_vigilance(study: Study) -> None:
    """Write the pictures of the vigilance trials: each has the lightness of its own and the color of a random other."""
    order = np.random.default_rng(study.seed).permutation(len(study.pictures)).tolist()
    for picture, other in zip(order, order[1:] + order[:1], strict=True):  # a cycle, so that no picture keeps its color
        L, _ = split(_read(study.real_path(picture)))
        _, ab = split(_read(study.real_path(other)))
        _write(study.fake_path(picture, "vigilance", ""), join(L, ab)[0].mul(255).round().byte())


def _read(path: Path) -> Tensor:
    """Return the picture, float (1, 3, S, S) in [0, 1]."""
    return torch.from_numpy(images.read(path).rgb).permute(2, 0, 1)[None]


def _write(path: Path, picture: Tensor) -> None:
    """Write uint8 (3, S, S). Real and recolored pictures are encoded alike, so that the files do not differ."""
    images.write(path, picture.permute(1, 2, 0).numpy() / np.float32(255))
