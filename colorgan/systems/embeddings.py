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
        path: the file, one for each process; made anew when it is missing, broken or of another shape.
        pictures: how many there are.
        width: values of a vector.

    Raises:
        UserError: the file cannot be made.
    """

    def __init__(self, path: Path, pictures: int, width: int):
        shape = (pictures, width)
        try:
            if not _holds(path, shape):
                path.parent.mkdir(parents=True, exist_ok=True)
                _make(path, shape)
            self._rows = np.load(path, mmap_mode="r+")
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


def _holds(path: Path, shape: tuple[int, int]) -> bool:
    """Whether a file is whole and has so many vectors of this width."""
    try:
        rows = np.load(path, mmap_mode="r")  # "r+" would fill what is cut off with zeros
    except (FileNotFoundError, EOFError, ValueError):  # not made yet; empty; cut off, or not of numpy
        return False
    return rows.shape == shape and rows.dtype == np.float32


def _make(path: Path, shape: tuple[int, int]) -> None:
    """A file of missing vectors, in one step: a kill leaves no file in which zeros would count as vectors.

    It is written and not mapped: a full disk is an error to a write, but to a map it is the end of the process.
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
