"""Decoded pictures that are kept: in the memory of one process and its workers, or in a file for all."""

import hashlib
import os
import shutil
import zlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from colorgan.data.source import FileSource, ImageSource
from colorgan.errors import UserError
from colorgan.packaged import user_cache

SHARED_MEMORY = "/dev/shm"  # the file system of shared memory on Linux
CACHES = ("none", "ram", "disk")


class PictureCache(Protocol):
    """Keeps decoded pictures."""

    def get(self, index: int) -> Tensor | None:
        """Return a picture, uint8 (3, S, S), or None where it is not kept."""

    def put(self, index: int, pixels: np.ndarray) -> None:
        """Keep a picture, uint8 (3, S, S)."""


def make_cache(name: str, folder: str | None, source: ImageSource, size: int, workers: int) -> PictureCache | None:
    """Make the cache of a dataset.

    Args:
        name: "none", "ram" or "disk".
        folder: of the files of "disk"; default: colorgan in the cache folder of the user.
        source: the images.
        size: S, the side of a picture in pixels.
        workers: number of worker processes that will read.

    Raises:
        UserError: unknown `name`; no room in shared memory or on the disk; "disk" for images that are no files.
    """
    if name not in CACHES:
        raise UserError(f"data.cache={name}: must be {', '.join(CACHES[:-1])} or {CACHES[-1]}")
    if name == "none":
        return None
    if name == "ram":
        return MemoryCache((len(source), 3, size, size), shared=workers > 0)
    if not isinstance(source, FileSource):
        raise UserError("data.cache=disk keeps decoded files, and this dataset has none: take data.cache=ram or none")
    return DiskCache(source, size, Path(folder).expanduser() if folder else user_cache())


class MemoryCache:
    """Keeps pictures in one array, which all workers of this process share.

    Args:
        shape: (N, 3, S, S).
        shared: whether worker processes will read; else the array is in ordinary memory.

    Raises:
        UserError: too little shared memory is free. Without this check, the system would kill the process on overrun.
    """

    def __init__(self, shape: tuple[int, ...], shared: bool):
        self.pixels = _empty_shared(shape) if shared else torch.empty(shape, dtype=torch.uint8)
        self.is_kept = torch.zeros(shape[0], dtype=torch.bool).share_memory_()

    def get(self, index: int) -> Tensor | None:
        """Return a picture, uint8 (3, S, S), or None where it is not kept."""
        return self.pixels[index] if self.is_kept[index] else None

    def put(self, index: int, pixels: np.ndarray) -> None:
        """Keep a picture, uint8 (3, S, S)."""
        self.pixels[index] = torch.from_numpy(pixels)
        self.is_kept[index] = True  # set after the pixels, because other workers read both


class DiskCache:
    """Keeps pictures in a file that workers, ranks and later runs map into memory together.

    Beside each picture stands its checksum, so that one that was cut short, by a kill or a crash, is decoded again. The
    file is named after the names, sizes and times of all photographs: after a change of one of them it is another file.

    Args:
        source: the photographs.
        size: S, the side of a picture in pixels.
        folder: of the file.

    Raises:
        UserError: the file cannot be made, or does not fit on the disk.
    """

    def __init__(self, source: FileSource, size: int, folder: Path):
        self.shape = len(source), 3, size, size
        self.path = folder / f"{fingerprint(source)}-{size}px.pictures"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock"):
                if not self.path.exists() or self.path.stat().st_size != self._bytes():  # cut off
                    _allocate(self.path, self._bytes())
            self._map()
        except OSError as error:
            free = shutil.disk_usage(folder).free / 1e9 if folder.is_dir() else 0.0
            raise UserError(
                f"data.cache=disk: {folder}: {error.strerror}; {self._bytes() / 1e9:.2f} GB needed, {free:.2f} free: "
                "set data.cache_dir to another folder, or data.cache=none"
            ) from error

    def get(self, index: int) -> Tensor | None:
        """Return a picture, uint8 (3, S, S), or None where it is not kept."""
        if not self.sums[index]:
            return None
        pixels = np.array(self.pixels[index])
        return torch.from_numpy(pixels) if _checksum(pixels) == self.sums[index] else None

    def put(self, index: int, pixels: np.ndarray) -> None:
        """Keep a picture, uint8 (3, S, S)."""
        self.pixels[index] = pixels
        self.sums[index] = _checksum(pixels)

    def _bytes(self) -> int:
        return 4 * self.shape[0] + int(np.prod(self.shape))

    def _map(self) -> None:
        count = self.shape[0]
        self.sums = np.memmap(self.path, "<u4", "r+", shape=(count,))
        self.pixels = np.memmap(self.path, np.uint8, "r+", offset=4 * count, shape=self.shape)

    def __getstate__(self) -> dict[str, Any]:  # a worker that is spawned maps the file itself: a map would be copied
        return {"shape": self.shape, "path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._map()


def fingerprint(source: FileSource) -> str:
    """Return a digest of the names, sizes and times of all files."""
    digest = hashlib.blake2b(digest_size=8)
    for name in source.names:
        path = source.root / name
        try:
            status = path.stat()
            facts = status.st_size, status.st_mtime_ns
        except OSError:  # a broken link, which is reported when it is read
            facts = 0, 0
        digest.update(f"{path}\0{facts}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _allocate(path: Path, count: int) -> None:
    """Make a file of `count` zero bytes that are there: writing into a map of missing ones would kill the process."""
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, count)
            else:
                file.truncate(count)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _checksum(pixels: np.ndarray) -> int:
    """Return a number above 0 below 2^32."""
    return zlib.crc32(np.ascontiguousarray(pixels)) or 1


def _empty_shared(shape: tuple[int, ...]) -> Tensor:
    pixels = torch.empty(shape, dtype=torch.uint8)
    free = shutil.disk_usage(SHARED_MEMORY).free if os.path.isdir(SHARED_MEMORY) else float("inf")
    if pixels.nbytes > free:
        raise UserError(
            f"data.cache=ram needs {pixels.nbytes / 1e9:.2f} GB of shared memory, and {SHARED_MEMORY} has "
            f"{free / 1e9:.2f} GB free: take data.cache=disk, enlarge it (docker run --shm-size), or set "
            "data.cache=none or data.workers=0"
        )
    return pixels.share_memory_()
