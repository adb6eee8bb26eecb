"""An equal budget for systems of unequal speed: how fast each trains, and how many batches that makes."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from colorgan.errors import UserError
from colorgan.training.callbacks import read_rows

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
EPOCHS = 10  # at least so many, each with a validation and a checkpoint
PROBE = 5  # batches of an epoch while the speed is measured: the first epoch, with its start-up, is left out
LEFT = 1 / 20  # of a budget may be left over, so that all epochs are alike


@dataclass(frozen=True)
class Budget:
    """What every run may spend on training; validation is not counted."""

    text: str
    seconds: float | None = None
    pictures: int | None = None


@dataclass(frozen=True)
class Plan:
    """How one run spends its budget."""

    pictures_per_second: float | None  # measured; None where pictures were the budget
    epochs: int
    batches: int  # an epoch

    def overrides(self) -> list[str]:
        """As settings of the experiment, so that schedules end with the budget."""
        fixed = [f"trainer.max_epochs={self.epochs}", f"trainer.limit_train_batches={self.batches}"]
        return [*fixed, "trainer.max_time=null"]


def parse_budget(text: str) -> Budget:
    """`90s`, `10m`, `1.5h` of training, or a number of pictures as in `20000`, `20k`, `1M`.

    Raises:
        UserError: neither.
    """
    time = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    pictures = re.fullmatch(r"(\d+(?:\.\d+)?)([kM]?)", text)
    if time and float(time[1]) > 0:
        return Budget(text, seconds=float(time[1]) * UNITS[time[2]])
    if pictures and float(pictures[1]) > 0:
        return Budget(text, pictures=round(float(pictures[1]) * {"": 1, "k": 1_000, "M": 1_000_000}[pictures[2]]))
    raise UserError(f"--budget {text}: a time as in 90s, 10m or 1.5h, or a number of pictures as in 20k or 1M")


def make_plan(budget: Budget, speed: float | None, batch: int, epoch: int) -> Plan:
    """The epochs and batches that a budget allows.

    Args:
        budget: time or pictures.
        speed: pictures a second; None where pictures are the budget.
        batch: pictures a step, over all processes.
        epoch: batches of one pass over the training pictures.

    Raises:
        UserError: it is not enough for one batch.
    """
    pictures = budget.pictures if speed is None else budget.seconds * speed
    total = int(pictures / batch)
    if total < 1:
        raise UserError(f"--budget {budget.text}: not one batch of {batch} pictures; allow more")
    fewest = min(total, max(EPOCHS, math.ceil(total / epoch)))
    epochs = next(n for n in range(fewest, total + 1) if total % n <= LEFT * total)
    return Plan(speed, epochs, total // epochs)


def measured_speed(run_dir: Path) -> float:
    """Pictures a second of a run, without the epochs in which processes start (the first) and which time cuts short."""
    speeds = [float(row["train/images_per_second"]) for row in read_rows(run_dir / "metrics.csv")]
    steady = speeds[1:-1] or [max(speeds)]
    return sum(steady) / len(steady)
