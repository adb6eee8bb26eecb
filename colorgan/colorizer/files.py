"""Color photograph files: decode ahead, color in batches, and let no broken file stop the others."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from colorgan.errors import UserError
from colorgan.imaging import images
from colorgan.imaging.decoding import pillow_settings
from colorgan.imaging.images import Photograph
from colorgan.imaging.outputs import Job

READERS = 3  # threads that read and write; as many photographs are decoded ahead
BATCH_VALUES = 3 * 2**24  # values at which a batch is full, however few photographs they are: bounds the memory

Paint = Callable[[list[Tensor], list[Path]], list[Tensor]]


def color_files(paint: Paint, jobs: list[Job], batch_size: int) -> Iterator[UserError | None]:
    """Color and write photographs; yield None or the error of each, not in the order of `jobs`.

    Args:
        paint: colors photographs, given their pixels (3, H, W) and their files.
        jobs: which files become which.
        batch_size: photographs at a time, at most.
    """
    batch: list[tuple[Job, Photograph]] = []
    with pillow_settings(), ThreadPoolExecutor(READERS) as pool:
        for job, future in _read_ahead(pool, jobs):
            try:
                batch.append((job, future.result()))
            except UserError as error:
                yield error
            if len(batch) == batch_size or sum(photograph.rgb.size for _, photograph in batch) > BATCH_VALUES:
                yield from _color_batch(pool, paint, batch)
                batch.clear()
        yield from _color_batch(pool, paint, batch)


def _read_ahead(pool: ThreadPoolExecutor, jobs: list[Job]) -> Iterator[tuple[Job, Future]]:
    """Yield each job and its future photograph, while the next READERS are being decoded."""
    ahead: deque[tuple[Job, Future]] = deque()
    for job in jobs:
        ahead.append((job, pool.submit(images.read, job.source)))
        if len(ahead) > READERS:
            yield ahead.popleft()
    while ahead:
        yield ahead.popleft()


def _color_batch(
    pool: ThreadPoolExecutor, paint: Paint, batch: list[tuple[Job, Photograph]]
) -> Iterator[UserError | None]:
    jobs, photographs = [job for job, _ in batch], [photograph for _, photograph in batch]
    pictures = [torch.from_numpy(photograph.rgb).permute(2, 0, 1) for photograph in photographs]
    painted = _paint_all(paint, pictures, [job.source for job in jobs])
    return pool.map(_write, [job.target for job in jobs], photographs, painted)


def _paint_all(paint: Paint, pictures: list[Tensor], files: list[Path]) -> list[Tensor | Exception]:
    """Color pictures; where a batch fails (of memory, mostly), try each picture alone."""
    try:
        return paint(pictures, files) if pictures else []
    except (RuntimeError, MemoryError, UserError) as error:
        if len(pictures) == 1:
            return [error]
    return [_paint_all(paint, [picture], [file])[0] for picture, file in zip(pictures, files, strict=True)]


def _write(target: Path, photograph: Photograph, colored: Tensor | Exception) -> UserError | None:
    """Write one picture; return what went wrong, which is no reason to stop the others."""
    if isinstance(colored, UserError):
        return UserError(f"{target}: not written: {colored}")
    if isinstance(colored, Exception):
        reason = next(iter(str(colored).splitlines()), type(colored).__name__)
        return UserError(f"{target}: not written, the model failed: {reason}")
    try:
        images.write(target, colored.permute(1, 2, 0).numpy(), photograph.alpha, photograph.exif)
    except UserError as error:
        return error
    return None
