"""Short trainings of experiments/gan.yaml: on each device alone, and on several at once."""

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from colorgan.comparison.budgets import measured_speed
from colorgan.diagnosis.machine import Machine
from colorgan.diagnosis.processes import run_python
from colorgan.packaged import experiments
from colorgan.training.history import read_rows

START_SECONDS = 180  # allowed beside the training; a slow network drive takes a minute to import PyTorch
BATCH = 16  # pictures per batch and process
SMALL = ("net.width=8", "discriminator.width=8", "data.size=32")


@dataclass(frozen=True)
class Trial:
    """A short training.

    Args:
        name: what it runs on, as in "cuda:0" or "8 GPUs".
        processes: number of processes that train together.
        batches: number of batches per epoch and process.
        overrides: further `key=value` items.
    """

    name: str
    processes: int
    batches: int
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What a short training gave.

    Args:
        trial: what was trained.
        error: why it failed, in one line; None if it trained.
        epochs: number of epochs.
        pictures_per_second: training speed, over all processes.
        first_loss: mean color loss (L1) of the first epoch.
        last_loss: that of the last epoch.
        equal_ranks: True if the processes were compared and hold the same weights; None if there was no comparison.
    """

    trial: Trial
    error: str | None = None
    epochs: int = 0
    pictures_per_second: float | None = None
    first_loss: float | None = None
    last_loss: float | None = None
    equal_ranks: bool | None = None


def make_trials(machine: Machine) -> list[Trial]:
    """Return the trials for a machine: each device alone, and then all GPUs, or two small processes on the CPU."""
    if machine.gpus:
        count = len(machine.gpus)
        alone = [
            Trial(f"cuda:{i}", 1, 60, ("trainer.accelerator=cuda", f"trainer.devices=[{i}]")) for i in range(count)
        ]
        if count > 1:
            together = ("trainer.accelerator=cuda", f"trainer.devices={count}")
            return [*alone, Trial(f"{count} GPUs", count, 60, together)]
    elif machine.mps:
        alone = [Trial("mps", 1, 20, ("trainer.accelerator=mps", "trainer.devices=1"))]
    else:
        alone = [Trial("cpu", 1, 4, ("trainer.accelerator=cpu", "trainer.devices=1"))]
    return [*alone, Trial("2 CPU processes", 2, 10, ("trainer.accelerator=cpu", "trainer.devices=2", *SMALL))]


def run_trial(trial: Trial, seconds: int, start_seconds: float = START_SECONDS) -> Outcome:
    """Train in a process of its own, whose files are deleted.

    Args:
        trial: what to train.
        seconds: training time.
        start_seconds: time for the rest; a training that takes longer has failed.
    """
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    with tempfile.TemporaryDirectory(prefix="colorgan-doctor-") as folder:
        settings = [
            f"run_dir={folder}",
            "logger=none",
            "checkpoint.keep=1",
            f"data.batch_size={BATCH}",
            f"data.crops={BATCH * trial.batches * trial.processes}",
            f"trainer.max_time=00:{hours:02d}:{minutes:02d}:{rest:02d}",
            "trainer.max_epochs=1000000",
            "trainer.limit_val_batches=1",
            f"trainer.compare_ranks={trial.batches}",
            *trial.overrides,
        ]
        result = run_python(["-m", "colorgan.train", str(experiments()["gan"]), *settings], seconds + start_seconds)
        if result.error:
            return Outcome(trial, result.error)
        return _read_outcome(trial, Path(folder))


def _read_outcome(trial: Trial, run_dir: Path) -> Outcome:
    rows = read_rows(run_dir / "metrics.csv")
    if not rows:
        return Outcome(trial, "ended without a row in metrics.csv")
    losses = [float(row["train/color_loss"]) for row in rows]
    finite = all(math.isfinite(float(row[key])) for row in rows for key in row if key.endswith("_loss"))
    return Outcome(
        trial,
        None if finite else "a loss became infinite or nan",
        len(rows),
        measured_speed(run_dir),
        losses[0],
        losses[-1],
        True if trial.processes > 1 and len(rows) > 1 else None,  # the first epoch is complete, so it was compared
    )
