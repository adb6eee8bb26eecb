"""The torch Dataset of an image source, with a cache in memory and a fallback for unreadable files."""

import os
import shutil
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from colorgan.data.source import ImageSource
from colorgan.errors import UserError

SHARED_MEMORY = "/dev/shm"  # the file system of shared memory on Linux


class ImageDataset(Dataset):
    """Map-style dataset of items `{"rgb": uint8 (3, S, S), "label": int, "index": int}`.

    An image that cannot be read is marked in `broken`. In its place the dataset returns the next readable image, with
    that image's own label and index.

    Args:
        source: the images and their labels.
        size: S, the side of the square in pixels.
        cache: "none", or "ram" to decode each image once into an array that all workers of this process share.
        workers: number of worker processes that will read; with 0, the cache is ordinary instead of shared memory.

    Raises:
        UserError: unknown `cache`; the cache does not fit into shared memory. `__getitem__` raises it if no image can
            be read.
    """

    def __init__(self, source: ImageSource, size: int, cache: str = "none", workers: int = 0):
        if cache not in ("none", "ram"):
            raise UserError(f"data.cache={cache}: must be none or ram")
        self.source = source
        self.size = size
        self.broken = torch.zeros(len(source), dtype=torch.bool).share_memory_()
        self._cache: Tensor | None = None
        if cache == "ram":
            shape = (len(source), 3, size, size)
            self._cache = _empty_shared(shape) if workers else torch.empty(shape, dtype=torch.uint8)
            self._is_cached = torch.zeros(len(source), dtype=torch.bool).share_memory_()

    def __len__(self) -> int:
        """Return the number of images, including the broken ones."""
        return len(self.source)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return the item at `index`, or the next one that can be read."""
        problem = UserError(f"{self.source.name(index)}: broken")
        for step in range(len(self)):
            i = (index + step) % len(self)
            if self.broken[i]:
                continue
            try:
                return {"rgb": self._read(i), "label": self.source.label(i), "index": i}
            except UserError as error:
                self.broken[i] = True
                problem = error
        raise UserError(f"none of the {len(self)} photographs can be read; the last: {problem}")

    def _read(self, index: int) -> Tensor:
        """Return the pixels, uint8 (3, S, S)."""
        if self._cache is None:
            return torch.from_numpy(self.source.load(index, self.size))
        if not self._is_cached[index]:
            self._cache[index] = torch.from_numpy(self.source.load(index, self.size))
            self._is_cached[index] = True  # set after the pixels, because other workers read both
        return self._cache[index]


def _empty_shared(shape: tuple[int, ...]) -> Tensor:
    """Return an uninitialized uint8 tensor in shared memory.

    Raises:
        UserError: too little shared memory is free. Without this check, the system would kill the process on overrun.
    """
    pixels = torch.empty(shape, dtype=torch.uint8)
    free = shutil.disk_usage(SHARED_MEMORY).free if os.path.isdir(SHARED_MEMORY) else float("inf")
    if pixels.nbytes > free:
        raise UserError(
            f"data.cache=ram needs {pixels.nbytes / 1e9:.2f} GB of shared memory, and {SHARED_MEMORY} has "
            f"{free / 1e9:.2f} GB free: enlarge it (docker run --shm-size), or set data.cache=none or data.workers=0"
        )
    return pixels.share_memory_()
