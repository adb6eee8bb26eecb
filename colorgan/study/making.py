"""Makes a study: true photographs, each recolored by every system and by chance."""

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
from colorgan.evaluation.painters import Painter
from colorgan.evaluation.pictures import Album
from colorgan.imaging import images
from colorgan.study.folder import RANDOM, REAL, Study
from colorgan.study.protocol import Protocol

BATCH = 8  # pictures that the systems color at a time


class Made(NamedTuple):
    """What `make` has done."""

    study: Study
    notes: list[str]  # a line for each picture that is left out


def make(root: Path, album: Album, painters: list[Painter], size: int, seed: int, most: int | None) -> Made:
    """Paints the pictures of a new study and writes its folder, all or nothing.

    Args:
        root: the folder to make; must not exist.
        album: the true photographs.
        painters: the systems; one name each.
        size: of the pictures in px, both sides.
        seed: chooses the pictures, the colors of the vigilance pairs, and later the sessions.
        most: the study takes so many pictures, or all that can be read and painted.

    Raises:
        UserError: the folder exists, a name will not do, too few pictures are left, or the disk refuses.
    """
    if root.exists():
        raise UserError(f"{root}: exists already; a study is never overwritten, choose another folder")
    needed = Protocol().pairs
    if (most or len(album)) < needed:
        wish = f"--pictures {most}" if most else f"{album.root} holds {len(album)} photographs"
        raise UserError(f"{wish}: a session shows {needed} pictures, none twice; give {needed} or more")
    systems = _names(painters)
    part = root.parent / f".{root.name}.{secrets.token_hex(4)}.part"  # a sibling, so that the rename is atomic
    try:
        part.mkdir(parents=True)
        pictures, notes = _paint(part, album, dict(zip(systems, painters, strict=True)), size, seed, most)
        if len(pictures) < needed:
            why = f" (the first that was left out: {notes[0]})" if notes else ""
            raise UserError(f"{album.root}: {len(pictures)} pictures are left, and a session shows {needed}{why}")
        study = Study(part, systems, pictures, size, seed, Protocol())
        _paint_random(study)
        study.save()
        part.rename(root)
    except OSError as error:
        raise UserError(f"{root}: cannot be written ({error.strerror})") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Made(Study(root, systems, pictures, size, seed, Protocol()), notes)


def _names(painters: list[Painter]) -> list[str]:
    """The systems' names as folders are called."""
    names = [re.sub(r"[^\w.-]+", "-", painter.name).strip("-.") for painter in painters]
    for name, count in Counter([*names, REAL, RANDOM, ""]).items():
        if count > 1:
            raise UserError(f"system '{name}': the name is taken or empty; rename the run or the folder of pictures")
    return names


def _paint(
    root: Path, album: Album, painters: dict[str, Painter], size: int, seed: int, most: int | None
) -> tuple[list[str], list[str]]:
    """Writes the real pictures and the systems'; returns the keys of those written, and why others are not."""
    order = np.random.default_rng(seed).permutation(len(album)).tolist()
    keys: list[str] = []
    notes: list[str] = []
    while order and len(keys) < (most or len(album)):
        batch = order[: min(BATCH, (most or len(album)) - len(keys))]
        del order[: len(batch)]
        loaded = {i: truth for i in batch if (truth := _load(album, i, size, notes)) is not None}
        if not loaded:
            continue
        indices, rgb = list(loaded), torch.stack(list(loaded.values()))
        painted = {name: painter.paint(indices, rgb) for name, painter in painters.items()}
        for place, index in enumerate(indices):
            versions = {name: pictures[place] for name, pictures in painted.items()}
            wrong = [f"{name}: {picture}" for name, picture in versions.items() if isinstance(picture, UserError)]
            if wrong:
                notes.append(f"left out, {wrong[0]}")
                continue
            for folder, picture in {REAL: rgb[place], **versions}.items():
                _write(root / "pictures" / folder / f"{len(keys):04d}.png", picture)
            keys.append(album.key(index))
    return keys, notes


def _load(album: Album, index: int, size: int, notes: list[str]) -> Tensor | None:
    try:
        return torch.from_numpy(album.load(index, size))
    except UserError as error:
        notes.append(f"left out, {error}")
        return None


def _paint_random(study: Study) -> None:
    """The vigilance pairs' pictures: each one's lightness under the color of another one, drawn by chance."""
    circle = np.random.default_rng(study.seed).permutation(len(study.pictures)).tolist()
    for picture, other in zip(circle, circle[1:] + circle[:1], strict=True):  # never its own color
        L, _ = split(_read(study.real(picture)))
        _, ab = split(_read(study.real(other)))
        _write(study.fake(picture, "vigilance", ""), join(L, ab)[0].mul(255).round().byte())


def _read(path: Path) -> Tensor:
    """(1, 3, S, S) in [0, 1]."""
    return torch.from_numpy(images.read(path).rgb).permute(2, 0, 1)[None]


def _write(path: Path, picture: Tensor) -> None:
    """Writes uint8 (3, S, S); the real pictures go the same way as the painted ones, so that no byte tells them."""
    images.write(path, picture.permute(1, 2, 0).numpy() / np.float32(255))
