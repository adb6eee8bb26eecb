"""Failures of a training that a setting can avoid, in one line."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from omegaconf import DictConfig

from colorgan.errors import UserError
from colorgan.memory import is_out_of_memory


@contextmanager
def explained(experiment: DictConfig) -> Iterator[None]:
    """Raise UserError where memory runs out, or an operation has no deterministic algorithm; pass on other errors."""
    try:
        yield
    except (RuntimeError, MemoryError, OSError) as error:
        if line := _explain(error, experiment):
            raise UserError(line) from error
        raise


def _explain(error: Exception, experiment: DictConfig) -> str | None:
    text = str(error)
    if is_out_of_memory(error):
        size, parts = experiment.data.batch_size, experiment.optim.accumulate
        smaller = f"data.batch_size={size // 2}, " if size > 1 else ""
        return (
            f"out of memory with data.batch_size={size} at data.size={experiment.data.size}: take {smaller}"
            f"optim.accumulate={2 * parts}, which computes a batch in parts, or data.batch_size=auto in a new run, "
            "which tries out what fits"
        )
    if "does not have a deterministic implementation" in text:
        operation = text.split(" does not have")[0].split()[-1]
        return f"trainer.deterministic=true: {operation} has no deterministic algorithm on this device; leave it out"
    if re.search(r"DataLoader worker .* is killed by signal: (Killed|Bus error)", text):
        return "a data worker was killed, as when memory runs out: take data.workers=0, or data.cache=disk"
    return None
