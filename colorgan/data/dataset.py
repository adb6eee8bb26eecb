"""The torch Dataset of an image source, with a cache and a fallback for unreadable files."""

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from colorgan.data.cache import PictureCache
from colorgan.data.source import ImageSource
from colorgan.data.storage import UnreachableError
from colorgan.errors import UserError


class ImageDataset(Dataset):
    """Map-style dataset of items `{"rgb": uint8 (3, S, S), "label": int, "index": int}`.

    An image that cannot be read is marked in `broken`. In its place the dataset returns the next readable image, with
    that image's own label and index.

    Args:
        source: the images and their labels.
        size: S, the side of the square in pixels.
        cache: keeps decoded images; None to decode them each time.

    Raises:
        UserError: `__getitem__` raises it if no image can be read, or many at once are out of reach.
    """

    def __init__(self, source: ImageSource, size: int, cache: PictureCache | None = None):
        self.source = source
        self.size = size
        self.broken = torch.zeros(len(source), dtype=torch.bool).share_memory_()
        self.cache = cache

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
            except UnreachableError:  # so are many more
                raise
            except UserError as error:
                self.broken[i] = True
                problem = error
        raise UserError(f"none of the {len(self)} photographs can be read; the last: {problem}")

    def _read(self, index: int) -> Tensor:
        """Return the pixels, uint8 (3, S, S)."""
        if self.cache is None:
            return torch.from_numpy(self.source.load(index, self.size))
        kept = self.cache.get(index)
        if kept is None:
            pixels = self.source.load(index, self.size)
            self.cache.put(index, pixels)
            kept = torch.from_numpy(pixels)
        return kept
