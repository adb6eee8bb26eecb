"""Training budgets, and the numbers of epochs and batches that use them up."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from colorgan.errors import UserError
from colorgan.training.history import read_rows

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MIN_EPOCHS = 10  # if there are as many batches; each epoch ends with a validation and a checkpoint
MAX_UNUSED = 1 / 20  # share of a budget that may stay unused, so that all epochs have the same length


@dataclass(frozen=True)
class Budget:
    """Budget of training for each run, a time or a number of pictures; validation is not counted.

    Args:
        text: the budget as the user wrote it.
        seconds: training time; None if the budget is a number of pictures.
        pictures: number of training pictures, counted once per epoch; None if the budget is a time.
    """

    text: str
    seconds: float | None = None
    pictures: int | None = None


@dataclass(frozen=True)
class Plan:
    """Length of one run within its budget.

    Args:
        pictures_per_second: measured training speed; None if the budget is a number of pictures.
        epochs: number of epochs.
        batches: number of batches per epoch.
    """

    pictures_per_second: float | None
    epochs: int
    batches: int

    def overrides(self) -> list[str]:
        """Return the plan as `key=value` items, under which schedules end with the budget."""
        return [
            f"trainer.max_epochs={self.epochs}",
            f"trainer.limit_train_batches={self.batches}",
            "trainer.max_time=null",
        ]


def parse_budget(text: str) -> Budget:
    """Parse a time (`90s`, `10m`, `1.5h`) or a number of pictures (`20000`, `20k`, `1M`).

    Raises:
        UserError: the text is neither.
    """
    time = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    pictures = re.fullmatch(r"(\d+(?:\.\d+)?)([kM]?)", text)
    if time and float(time[1]) > 0:
        return Budget(text, seconds=float(time[1]) * UNITS[time[2]])
    if pictures and float(pictures[1]) > 0:
        return Budget(text, pictures=round(float(pictures[1]) * {"": 1, "k": 1_000, "M": 1_000_000}[pictures[2]]))
    raise UserError(f"--budget {text}: a time as in 90s, 10m or 1.5h, or a number of pictures as in 20k or 1M")


def make_plan(budget: Budget, speed: float | None, batch: int, epoch: int) -> Plan:
    """Compute the numbers of epochs and batches that a budget allows.

    Args:
        budget: a time or a number of pictures.
        speed: training speed in pictures per second; None if the budget is a number of pictures.
        batch: number of pictures per step, over all processes.
        epoch: number of batches in one pass over the training pictures.

    Raises:
        UserError: the budget does not allow a single batch.
    """
    pictures = budget.pictures if speed is None else budget.seconds * speed
    total = int(pictures / batch)
    if total < 1:
        raise UserError(f"--budget {budget.text}: not one batch of {batch} pictures; allow more")
    min_epochs = min(total, max(MIN_EPOCHS, math.ceil(total / epoch)))
    epochs = next(n for n in range(min_epochs, total + 1) if total % n <= MAX_UNUSED * total)
    return Plan(speed, epochs, total // epochs)


def measured_speed(run_dir: Path) -> float:
    """Return the training speed of a run in pictures per second, as the mean over its epochs.

    The first epoch, in which processes start, and the last one, which a time limit may cut short, are left out.
    """
    speeds = [float(row["train/images_per_second"]) for row in read_rows(run_dir / "metrics.csv")]
    steady = speeds[1:-1] or [max(speeds)]
    return sum(steady) / len(steady)
