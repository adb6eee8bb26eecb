"""A source as a torch dataset: cached in memory, and unmoved by files that cannot be read."""

import os
import shutil
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from colorgan.data.source import Source
from colorgan.errors import UserError

SHARED_MEMORY = "/dev/shm"  # where Linux keeps what processes share


class Pictures(Dataset):
    """Items `{"rgb": uint8 (3, S, S), "label": int, "index": int}` of a source.

    A photograph that cannot be read is marked in `broken`, and the next good one stands in for it, under its own label
    and index.

    Args:
        source: where the photographs come from.
        size: S, the side of the square in pixels.
        cache: "none", or "ram": each photograph is decoded once, into one array that all workers of this process share.
        workers: how many processes will read; with none, the array is ordinary memory.

    Raises:
        UserError: the array does not fit into shared memory; from an item: no photograph can be read.
    """

    def __init__(self, source: Source, size: int, cache: str = "none", workers: int = 0):
        if cache not in ("none", "ram"):
            raise UserError(f"data.cache={cache}: it is none or ram")
        self.source = source
        self.size = size
        self.broken = torch.zeros(len(source), dtype=torch.bool).share_memory_()
        self._pixels: Tensor | None = None
        if cache == "ram":
            shape = (len(source), 3, size, size)
            self._pixels = _shared(shape) if workers else torch.empty(shape, dtype=torch.uint8)
            self._decoded = torch.zeros(len(source), dtype=torch.bool).share_memory_()

    def __len__(self) -> int:
        """How many photographs, broken ones included."""
        return len(self.source)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The photograph, or the next good one."""
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

    def broken_names(self) -> list[str]:
        """The names of the files that could not be read so far, by any worker."""
        return [self.source.name(int(i)) for i in self.broken.nonzero()]

    def _read(self, index: int) -> Tensor:
        """uint8 (3, S, S)."""
        if self._pixels is None:
            return torch.from_numpy(self.source.load(index, self.size))
        if not self._decoded[index]:
            self._pixels[index] = torch.from_numpy(self.source.load(index, self.size))
            self._decoded[index] = True  # after the pixels: another worker may look now
        return self._pixels[index]


def _shared(shape: tuple[int, ...]) -> Tensor:
    """uint8 memory that worker processes see; looks before whether it is there, as the system kills who overruns it."""
    pixels = torch.empty(shape, dtype=torch.uint8)
    free = shutil.disk_usage(SHARED_MEMORY).free if os.path.isdir(SHARED_MEMORY) else float("inf")
    if pixels.nbytes > free:
        raise UserError(
            f"data.cache=ram needs {pixels.nbytes / 1e9:.2f} GB of shared memory, and {SHARED_MEMORY} has "
            f"{free / 1e9:.2f} GB free: enlarge it (docker run --shm-size), or set data.cache=none or data.workers=0"
        )
    return pixels.share_memory_()
