"""Disk cache for the embeddings of a frozen network, which are computed once per image."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from colorgan.errors import UserError


class Embeddings:
    """Cache of one embedding per image, in a float32 .npy file (images, width).

    Missing embeddings are NaN. The first value of an embedding is written last, so that a killed process never leaves
    one that is partly written but not NaN.

    Args:
        path: the file, one for each process; created if it is missing, broken or of another shape.
        images: number of images.
        width: number of values of an embedding.

    Raises:
        UserError: the file cannot be created.
    """

    def __init__(self, path: Path, images: int, width: int):
        shape = (images, width)
        try:
            if not _is_valid(path, shape):
                path.parent.mkdir(parents=True, exist_ok=True)
                _create(path, shape)
            self._rows = np.load(path, mmap_mode="r+")
        except OSError as error:
            raise UserError(f"{path}: the embeddings of the images cannot be stored: {error.strerror}") from None

    def lookup(self, index: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the embeddings of a batch, and compute and store those that are missing.

        Args:
            index: indices (B,) of the images in their dataset, on the CPU.
            compute: maps positions in the batch (M,), on the CPU, to their embeddings (M, width), on any device.

        Returns:
            embeddings (B, width), on the CPU.
        """
        rows = index.numpy()
        missing = np.isnan(self._rows[rows, 0])
        if missing.any():
            vectors = compute(torch.from_numpy(missing).nonzero()[:, 0]).detach().float().cpu().numpy()
            self._rows[rows[missing], 1:] = vectors[:, 1:]
            self._rows[rows[missing], 0] = vectors[:, 0]
        return torch.from_numpy(self._rows[rows])


def _is_valid(path: Path, shape: tuple[int, int]) -> bool:
    """Return whether the file exists, is complete, and contains a float32 array of this shape."""
    try:
        rows = np.load(path, mmap_mode="r")  # "r+" would pad a truncated file with zeros
    except (FileNotFoundError, EOFError, ValueError):  # missing; empty; truncated or not of numpy
        return False
    return rows.shape == shape and rows.dtype == np.float32


def _create(path: Path, shape: tuple[int, int]) -> None:
    """Write a file of NaN.

    It is renamed when complete, so that a killed process leaves no file whose zeros would count as embeddings. It is
    not written through a memory map, because a full disk raises OSError in a write but kills the process in a map.
    """
    part = path.with_suffix(".part")
    row = np.full(shape[1], np.nan, np.float32)
    try:
        with part.open("wb") as file:
            header = {"descr": row.dtype.str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for _ in range(shape[0]):
                file.write(row)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
