"""The order of the pictures of an epoch, and a loader that goes on in the middle of it."""

import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from torch.utils.data import DataLoader, DistributedSampler

from colorgan.errors import UserError


class ResumableSampler(DistributedSampler):
    """DistributedSampler whose next pass may leave out its first indices, so that nothing is decoded to skip it."""

    skipped = 0

    def __iter__(self) -> Iterator[int]:
        return iter(list(super().__iter__())[self.take_skipped() :])

    def take_skipped(self) -> int:
        """Return the number of indices that this pass leaves out; the next one leaves out none."""
        skipped, self.skipped = self.skipped, 0
        return skipped


class ResumableLoader(DataLoader):
    """DataLoader that begins at any batch of an epoch.

    Its workers start at the first `next()` instead of at `iter()`: a Trainer that resumes calls `iter()` before it sets
    the epoch of the sampler, so the workers would start with the order of epoch 0. A UserError of a worker is the line
    that it was, without the traceback that torch adds. A worker survives the first signal that asks it to stop.

    Args:
        position: returns the batch to begin at; asked at the first `next()`.
        sampler: the indices of an epoch.
        arguments: of DataLoader.
    """

    def __init__(self, *arguments: Any, position: Callable[[], int], sampler: ResumableSampler, **keywords: Any):
        super().__init__(*arguments, sampler=sampler, worker_init_fn=_survive_first_signal, **keywords)
        self.position = position

    def __iter__(self) -> Iterator[Any]:
        self.sampler.skipped = self.position() * self.batch_size
        try:
            yield from super().__iter__()
        except UserError as error:
            error.__traceback__ = None  # whose frames keep the workers until they are collected, which takes 10 s
            line = str(error).rpartition(f"{type(error).__name__}: ")[2]
            raise UserError(line.removesuffix(r"\n")) from None  # UserError escapes the line breaks of the traceback


def _survive_first_signal(worker: int) -> None:
    """Let a worker go on after a signal to all processes, as SLURM sends it: the main one still needs its batches."""
    numbers = [number for name in ("SIGTERM", "SIGINT", "SIGUSR1") if (number := getattr(signal, name, None))]

    def remember(number: int, frame: FrameType | None) -> None:
        for other in numbers:
            signal.signal(other, signal.SIG_DFL)

    for number in numbers:  # Windows has no SIGUSR1
        signal.signal(number, remember)


def require_same_order(saved: dict[str, Any], current: dict[str, Any]) -> None:
    """Check that an epoch has the batches that it had when a checkpoint was saved in the middle of it.

    Args:
        saved: what determined them then, by the name of the setting.
        current: what determines them now.

    Raises:
        UserError: they have changed.
    """
    changed = [f"{key} {old} (now {current[key]})" for key, old in saved.items() if current[key] != old]
    if changed:
        raise UserError(
            f"the checkpoint is from the middle of an epoch, with {', '.join(changed)}: resume with the same, or "
            "go back to the end of an epoch with --from RUN/epoch=NNN.ckpt"
        )
