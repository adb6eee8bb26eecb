"""Reads the true pictures in batches, ahead of what is done with them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from colorgan.data.source import Source
from colorgan.errors import UserError

BATCH = 16  # pictures at a time
READERS = 4  # threads that decode, a batch ahead


def batches(
    source: Source, rows: Sequence[int], size: int, complain: Callable[[str], None]
) -> Iterator[tuple[list[int], Tensor]]:
    """The pictures at `rows` of a source: their places, and uint8 (B, 3, size, size).

    What cannot be read is left out, and `complain` gets its line.
    """
    parts = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    with ThreadPoolExecutor(READERS) as pool:
        coming = []
        for part in [*parts, []]:
            current, coming = coming, [(row, pool.submit(_load, source, row, size)) for row in part]
            results = {row: future.result() for row, future in current}
            good = {row: result for row, result in results.items() if isinstance(result, np.ndarray)}
            for result in results.values():
                if isinstance(result, UserError):
                    complain(str(result))
            if good:
                yield list(good), torch.stack([torch.from_numpy(picture) for picture in good.values()])


def _load(source: Source, row: int, size: int) -> np.ndarray | UserError:
    try:
        return source.load(row, size)
    except UserError as error:
        return error
