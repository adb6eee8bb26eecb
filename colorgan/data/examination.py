"""What `colorgan.prepare` does with one photograph: decode it once, judge it, and write it resized."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from colorgan.data.augment import near_gray
from colorgan.data.duplicates import Fingerprint, fingerprint
from colorgan.errors import UserError, one_line
from colorgan.imaging import images, pixels

GOOD, UNREADABLE, SMALL, GRAY = "good", "unreadable", "too small", "near-gray"
_GRAY_SIDE = 72  # px; that of the figures of `near_gray`


@dataclass(frozen=True)
class Settings:
    """How photographs are chosen and written.

    Args:
        size: short side of the pictures in px; smaller photographs keep their size.
        quality: of the JPEG files, 1 to 100.
        val_share: share of the pictures to validate on, in [0, 1).
        near_gray: threshold of `colorgan.data.augment.near_gray`; 0 keeps gray photographs.
        min_size: shortest short side in px of a photograph to keep.
    """

    size: int
    quality: int
    val_share: float
    near_gray: float
    min_size: int


class Task(NamedTuple):
    """A photograph to examine."""

    picture: str  # its key: the name of its source, and its path there
    path: Path
    target: Path  # the file to write


@dataclass(frozen=True)
class Record:
    """What is known of a photograph after it was decoded."""

    picture: str
    stamp: list[int]  # size and time of the file, to notice changes
    verdict: str  # GOOD, UNREADABLE, SMALL or GRAY
    why: str = ""  # it is unreadable
    width: int = 0
    height: int = 0
    hash: str = ""  # hexadecimal, as is the thumbnail: records are kept as JSON
    thumbnail: str = ""
    has_more: bool = False  # further pages or frames, which are not read

    @property
    def fingerprint(self) -> Fingerprint:
        """The fingerprint of a good photograph."""
        return Fingerprint(int(self.hash, 16), bytes.fromhex(self.thumbnail))


def digest(picture: str) -> str:
    """Return a hash of a key, 16 hexadecimal digits, that is the same on every machine."""
    return hashlib.blake2b(os.fsencode(picture), digest_size=8).hexdigest()


def stamp(path: Path) -> list[int]:
    """Return size and modification time of a file; an empty list if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def examine(task: Task, settings: Settings) -> Record:
    """Decode a photograph, judge it, and write it as a JPEG file if it is good.

    The file has the pixels alone: upright, in sRGB, without EXIF. It appears whole or not at all.

    Raises:
        UserError: the JPEG file cannot be written.
    """
    before = stamp(task.path)
    try:
        rgb, width, height, has_more = _read(task.path, settings.size)
    except UserError as error:
        return Record(task.picture, before, UNREADABLE, str(error).removeprefix(one_line(f"{task.path}: ")))
    if min(width, height) < settings.min_size:
        return Record(task.picture, before, SMALL, width=width, height=height, has_more=has_more)
    square = torch.from_numpy(images.thumbnail_of(rgb, _GRAY_SIDE))
    if near_gray(square[None], settings.near_gray):
        return Record(task.picture, before, GRAY, width=width, height=height, has_more=has_more)
    _write(rgb, task.target, settings.quality)
    print_ = fingerprint(rgb)
    return Record(
        task.picture,
        before,
        GOOD,
        width=width,
        height=height,
        hash=f"{print_.hash:016x}",
        thumbnail=print_.thumbnail.hex(),
        has_more=has_more,
    )


def _read(path: Path, size: int) -> tuple[Image.Image, int, int, bool]:
    """Return a photograph with a short side of `size` at most, its size before, and whether it has further pages."""
    with images.opened(path) as image:
        full = image.size
        image.draft(None, (2 * size, 2 * size))  # decode a big JPEG at a fraction of its size, yet twice this one
        turned = pixels.upright(image)
        width, height = sorted(full, reverse=turned.width > turned.height)
        colors, _ = pixels.split_alpha(turned)
        scale = size / min(colors.size)
        if scale < 1:
            sides = [max(1, round(side * scale)) for side in colors.size]
            colors = colors.resize(sides, Image.Resampling.BICUBIC, reducing_gap=3.0)
        rgb = pixels.to_srgb(colors, image.info.get("icc_profile"))
        unmarked = Image.fromarray(np.asarray(rgb))  # without the metadata that PIL carries along
        return unmarked, width, height, images.has_more(image)


def _write(rgb: Image.Image, target: Path, quality: int) -> None:
    part = target.with_suffix(".part")
    try:
        rgb.save(part, format="JPEG", quality=quality, subsampling="4:4:4")
        os.replace(part, target)
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror or error})") from error
