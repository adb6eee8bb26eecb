"""Budgets of training, and the numbers of epochs and batches that spend them."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from colorgan.errors import UserError
from colorgan.training.callbacks import read_rows

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MIN_EPOCHS = 10  # where there are enough batches; each epoch ends with a validation and a checkpoint
MAX_UNUSED = 1 / 20  # share of a budget that may be left over, so that all epochs have the same length


@dataclass(frozen=True)
class Budget:
    """What each run may spend on training, a time or a number of pictures; validation is not counted."""

    text: str
    seconds: float | None = None
    pictures: int | None = None


@dataclass(frozen=True)
class Plan:
    """How one run spends its budget."""

    pictures_per_second: float | None  # as measured; None where the budget is a number of pictures
    epochs: int
    batches: int  # per epoch

    def overrides(self) -> list[str]:
        """Return the plan as settings of the experiment, so that schedules end with the budget."""
        fixed = [f"trainer.max_epochs={self.epochs}", f"trainer.limit_train_batches={self.batches}"]
        return [*fixed, "trainer.max_time=null"]


def parse_budget(text: str) -> Budget:
    """Parse a time (`90s`, `10m`, `1.5h`) or a number of pictures (`20000`, `20k`, `1M`).

    Raises:
        UserError: it is neither.
    """
    time = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    pictures = re.fullmatch(r"(\d+(?:\.\d+)?)([kM]?)", text)
    if time and float(time[1]) > 0:
        return Budget(text, seconds=float(time[1]) * UNITS[time[2]])
    if pictures and float(pictures[1]) > 0:
        return Budget(text, pictures=round(float(pictures[1]) * {"": 1, "k": 1_000, "M": 1_000_000}[pictures[2]]))
    raise UserError(f"--budget {text}: a time as in 90s, 10m or 1.5h, or a number of pictures as in 20k or 1M")


def make_plan(budget: Budget, speed: float | None, batch: int, epoch: int) -> Plan:
    """Compute the epochs and batches that a budget allows.

    Args:
        budget: a time or a number of pictures.
        speed: pictures per second; None where the budget is a number of pictures.
        batch: pictures per step, over all processes.
        epoch: batches in one pass over the training pictures.

    Raises:
        UserError: the budget does not allow one batch.
    """
    pictures = budget.pictures if speed is None else budget.seconds * speed
    total = int(pictures / batch)
    if total < 1:
        raise UserError(f"--budget {budget.text}: not one batch of {batch} pictures; allow more")
    fewest = min(total, max(MIN_EPOCHS, math.ceil(total / epoch)))
    epochs = next(n for n in range(fewest, total + 1) if total % n <= MAX_UNUSED * total)
    return Plan(speed, epochs, total // epochs)


def measured_speed(run_dir: Path) -> float:
    """Return the mean pictures per second of a run's epochs.

    The first one, in which processes start, and the last one, which a time limit may cut short, are left out.
    """
    speeds = [float(row["train/images_per_second"]) for row in read_rows(run_dir / "metrics.csv")]
    steady = speeds[1:-1] or [max(speeds)]
    return sum(steady) / len(steady)
