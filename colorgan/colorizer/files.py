"""Color photograph files: read ahead, predict in batches, paint and write, and let no broken file stop the others.

Where memory runs out, a batch is halved until it fits, and a photograph that fails alone is tried again when all others
are done, on one thread, which paints one strip at a time.
"""

import logging
import math
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from colorgan.colorizer.colorizer import Colorizer
from colorgan.colorizer.hints import Hint, rasterize
from colorgan.colorizer.painting import LowResolution
from colorgan.colorizer.upsampling import Upsampling
from colorgan.errors import UserError, one_line
from colorgan.imaging import images
from colorgan.imaging.arrays import to_tensor
from colorgan.imaging.decoding import pillow_settings
from colorgan.imaging.images import Photograph
from colorgan.imaging.outputs import Job
from colorgan.memory import is_out_of_memory

log = logging.getLogger(__name__)

WAITING_BYTES = 2**27  # of photographs that wait for others of their shape, or to be written: bounds the memory


@dataclass
class Options:
    """How photographs are colored; see `Colorizer.paint`."""

    size: int | None = None
    upsample: Upsampling = "guided"
    saturation: float = 1.0
    batch_size: int = 8  # photographs whose color is predicted at a time
    threads: int = 1  # that read, predict, paint and write


@dataclass
class Item:
    """A photograph on its way."""

    job: Job
    photograph: Photograph
    lightness: Tensor  # (1, 1, h, w), at the size at which color is predicted
    hints: Tensor | None  # (1, 3, h, w)


Result = UserError | None  # what went wrong with a file


class NotEnoughMemory(UserError):
    """A photograph could not be colored for want of memory."""

    def __init__(self, error: Exception, job: Job):
        super().__init__(
            f"{job.target}: not written: not enough memory, even for it alone ({_first_line(error)}); "
            "close other programs, or color a smaller copy"
        )
        self.job = job


def color_files(
    model: Colorizer, jobs: Sequence[Job], hints: dict[Path, list[Hint]], options: Options
) -> Iterator[Result]:
    """Color and write photographs; yield None or the error of each, not in the order of `jobs`.

    Photographs of one shape are predicted together, in whatever order they come.

    Args:
        model: colors them.
        jobs: which files become which.
        hints: of the photographs that have any.
        options: how they are colored.
    """
    postponed = []
    for result in _color_together(model, jobs, hints, options):
        if isinstance(result, NotEnoughMemory):
            postponed.append(result.job)
        else:
            yield result
    with _single_thread():
        for job in postponed:
            yield _color_alone(model, job, hints.get(job.source, []), options)


def _color_together(
    model: Colorizer, jobs: Sequence[Job], hints: dict[Path, list[Hint]], options: Options
) -> Iterator[Result]:
    waiting: dict[tuple[int, ...], list[Item]] = defaultdict(list)
    under_way: deque[tuple[int, Future[list[Result]]]] = deque()  # bytes held, and what will come of a batch
    with pillow_settings(), _make_pool(options, len(jobs)) as pool:

        def start(shape: tuple[int, ...]) -> None:
            items = waiting.pop(shape)
            held = sum(item.photograph.levels.nbytes for item in items)
            under_way.append((held, pool.submit(_color, model, items, options)))

        for future in _read_ahead(pool, model, jobs, hints, options):
            try:
                item = future.result()
            except UserError as error:
                yield error
                continue
            shape = tuple(item.lightness.shape)
            waiting[shape].append(item)
            if len(waiting[shape]) == options.batch_size:
                start(shape)
            while sum(item.photograph.levels.nbytes for items in waiting.values() for item in items) > WAITING_BYTES:
                start(max(waiting, key=lambda shape: len(waiting[shape])))
            while len(under_way) > options.threads or sum(held for held, _ in under_way) > WAITING_BYTES:
                yield from under_way.popleft()[1].result()
        for shape in list(waiting):
            start(shape)
        for _, future in under_way:
            yield from future.result()


def _color_alone(model: Colorizer, job: Job, hints: list[Hint], options: Options) -> Result:
    try:
        item = _read(model, job, hints, options.size)
    except UserError as error:
        return error
    return _color(model, [item], options)[0]


@contextmanager
def _single_thread() -> Iterator[None]:
    cores = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(cores)


@contextmanager
def _make_pool(options: Options, photographs: int) -> Iterator[ThreadPoolExecutor]:
    """Return threads that share the cores: with many batches each computes alone, which wastes no time on waiting."""
    cores = torch.get_num_threads()
    batches = math.ceil(photographs / options.batch_size)
    share = max(1, cores // min(options.threads, max(1, batches)))
    try:
        with ThreadPoolExecutor(options.threads, initializer=torch.set_num_threads, initargs=(share,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(cores)  # of threads that start from now on


def _read_ahead(
    pool: ThreadPoolExecutor,
    model: Colorizer,
    jobs: Sequence[Job],
    hints: dict[Path, list[Hint]],
    options: Options,
) -> Iterator[Future[Item]]:
    """Yield what will come of each job, while the next ones are being read."""
    ahead: deque[Future[Item]] = deque()
    for job in jobs:
        ahead.append(pool.submit(_read, model, job, hints.get(job.source, []), options.size))
        if len(ahead) > options.threads:
            yield ahead.popleft()
    yield from ahead


def _read(model: Colorizer, job: Job, hints: list[Hint], size: int | None) -> Item:
    try:
        photograph = images.read(job.source)
    except UserError as error:
        raise (NotEnoughMemory(error, job) if is_out_of_memory(error) else error) from None
    if photograph.has_more:
        log.warning("%s: only its first page or frame is colored", one_line(str(job.source)))
    picture = to_tensor(photograph.levels)
    try:
        lightness = model.shrink(picture, size)
        given = rasterize(hints, picture.shape[-2:], lightness.shape[-2:]) if hints else None
    except (UserError, RuntimeError, MemoryError) as error:
        raise _describe(error, job) from None
    return Item(job, photograph, lightness, given)


def _color(model: Colorizer, items: list[Item], options: Options) -> list[Result]:
    """Predict color, then paint and write the photographs; return what went wrong with each."""
    return [_finish(model, item, color, options) for item, color in zip(items, _predict(model, items), strict=True)]


def _predict(model: Colorizer, items: list[Item]) -> list[LowResolution | Exception]:
    """Predict color; where a batch fails (of memory, mostly), try its halves."""
    try:
        hints = None
        if any(item.hints is not None for item in items):
            hints = [_no_hints(item) if item.hints is None else item.hints for item in items]
        return model.predict_colors([item.lightness for item in items], hints)
    except (RuntimeError, MemoryError) as error:
        if len(items) == 1:
            return [error]
    half = len(items) // 2
    return [*_predict(model, items[:half]), *_predict(model, items[half:])]


def _no_hints(item: Item) -> Tensor:
    return item.lightness.new_zeros(1, 3, *item.lightness.shape[-2:])


def _finish(model: Colorizer, item: Item, color: LowResolution | Exception, options: Options) -> Result:
    """Paint and write a photograph; return what went wrong, which is no reason to stop the others."""
    photograph = item.photograph
    try:
        if isinstance(color, Exception):
            raise color
        painted = model.fill(to_tensor(photograph.levels), color, options.upsample, options.saturation)
    except (UserError, RuntimeError, MemoryError) as error:
        return _describe(error, item.job)
    try:
        images.write(
            item.job.target, painted.permute(1, 2, 0).numpy(), photograph.alpha, photograph.exif, photograph.dpi
        )
    except UserError as error:
        return NotEnoughMemory(error, item.job) if is_out_of_memory(error) else error
    return None


def _describe(error: Exception, job: Job) -> UserError:
    """Word in one line why a photograph is not colored."""
    if is_out_of_memory(error):
        return NotEnoughMemory(error, job)
    if isinstance(error, UserError):
        return UserError(f"{job.target}: not written: {error}")
    return UserError(f"{job.target}: not written, the model failed: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
