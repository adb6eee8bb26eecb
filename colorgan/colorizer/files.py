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

Paint = Callable[[list[Tensor]], list[Tensor]]


def color_files(paint: Paint, jobs: list[Job], batch_size: int) -> Iterator[UserError | None]:
    """Color and write photographs; yield None or the error of each, not in the order of `jobs`.

    Args:
        paint: as `Colorizer.paint`.
        jobs: which files become which.
        batch_size: photographs at a time, at most.
    """
    batch: list[tuple[Path, Photograph]] = []
    with pillow_settings(), ThreadPoolExecutor(READERS) as pool:
        for target, future in _read_ahead(pool, jobs):
            try:
                batch.append((target, future.result()))
            except UserError as error:
                yield error
            if len(batch) == batch_size or sum(photograph.rgb.size for _, photograph in batch) > BATCH_VALUES:
                yield from _color_batch(pool, paint, batch)
                batch.clear()
        yield from _color_batch(pool, paint, batch)


def _read_ahead(pool: ThreadPoolExecutor, jobs: list[Job]) -> Iterator[tuple[Path, Future]]:
    """Yield the target and the future photograph of each job, while the next READERS are being decoded."""
    ahead: deque[tuple[Path, Future]] = deque()
    for job in jobs:
        ahead.append((job.target, pool.submit(images.read, job.source)))
        if len(ahead) > READERS:
            yield ahead.popleft()
    while ahead:
        yield ahead.popleft()


def _color_batch(
    pool: ThreadPoolExecutor, paint: Paint, batch: list[tuple[Path, Photograph]]
) -> Iterator[UserError | None]:
    targets, photographs = [target for target, _ in batch], [photograph for _, photograph in batch]
    pictures = [torch.from_numpy(photograph.rgb).permute(2, 0, 1) for photograph in photographs]
    return pool.map(_write, targets, photographs, _paint_all(paint, pictures))


def _paint_all(paint: Paint, pictures: list[Tensor]) -> list[Tensor | Exception]:
    """Color pictures; where a batch fails (of memory, mostly), try each picture alone."""
    try:
        return paint(pictures) if pictures else []
    except (RuntimeError, MemoryError) as error:
        if len(pictures) == 1:
            return [error]
    return [_paint_all(paint, [picture])[0] for picture in pictures]


def _write(target: Path, photograph: Photograph, colored: Tensor | Exception) -> UserError | None:
    """Write one picture; return what went wrong, which is no reason to stop the others."""
    if isinstance(colored, Exception):
        reason = next(iter(str(colored).splitlines()), type(colored).__name__)
        return UserError(f"{target}: not written, the model failed: {reason}")
    try:
        images.write(target, colored.permute(1, 2, 0).numpy(), photograph.alpha, photograph.exif)
    except UserError as error:
        return error
    return None
