"""What a frozen network says of each picture, computed once and kept on disk between epochs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from colorgan.errors import UserError


class Embeddings:
    """Vectors by the index of their picture, in one file of float32 (pictures, width).

    A missing vector is NaN, and its first value is written last, so that a killed process leaves no half vector.

    Args:
        path: the file, one for each process; made when it is missing, or when it has another shape.
        pictures: how many there are.
        width: values of a vector.

    Raises:
        UserError: the file cannot be made.
    """

    def __init__(self, path: Path, pictures: int, width: int):
        shape = (pictures, width)
        try:
            if path.exists() and np.load(path, mmap_mode="r").shape == shape:
                self._rows = np.load(path, mmap_mode="r+")
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            self._rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
            self._rows[:] = np.nan
        except OSError as error:
            raise UserError(f"{path}: the embeddings of the pictures cannot be kept: {error.strerror}") from None

    def lookup(self, index: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
        """The vectors (B, width) of the pictures `index` (B,), on its device.

        Args:
            index: of the pictures in their dataset.
            compute: positions in the batch (M,) -> their vectors (M, width), for those that are missing.
        """
        rows = index.cpu().numpy()
        missing = np.isnan(self._rows[rows, 0])
        if missing.any():
            vectors = compute(torch.from_numpy(missing).nonzero()[:, 0].to(index.device))
            vectors = vectors.detach().float().cpu().numpy()
            self._rows[rows[missing], 1:] = vectors[:, 1:]
            self._rows[rows[missing], 0] = vectors[:, 0]
        return torch.from_numpy(self._rows[rows]).to(index.device)
