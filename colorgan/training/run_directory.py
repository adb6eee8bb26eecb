"""Run directories: find the latest checkpoint, tell whether a run is complete, and go back to an earlier epoch."""

import re
import shutil
import time
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from colorgan.colorizer import checkpoint
from colorgan.training.history import read_rows, write_rows


def epoch_of(path: Path) -> int:
    """Return the epoch in a file name such as `epoch=012.ckpt`; -1 if there is none."""
    found = re.fullmatch(r"epoch=(\d+)", path.stem)
    return int(found[1]) if found else -1


def latest_checkpoint(run_dir: Path) -> Path | None:
    """Return the checkpoint to resume from: that of the latest epoch, else last.ckpt, else None."""
    epochs = [path for path in run_dir.glob("epoch=*.ckpt") if epoch_of(path) >= 0]
    if epochs:
        return max(epochs, key=epoch_of)
    last = run_dir / "last.ckpt"
    return last if last.exists() else None


def contains_run(run_dir: Path) -> bool:
    """Return whether a run has finished an epoch in this directory; without one, there are no results to overwrite."""
    return latest_checkpoint(run_dir) is not None or (run_dir / "metrics.csv").exists()


def completion_message(content: dict[str, Any], experiment: DictConfig) -> str | None:
    """Describe why a run is complete, and how to train it further.

    Args:
        content: content of its latest checkpoint.
        experiment: resolved experiment under which it would continue.

    Returns:
        a message; None if there is training left to do.
    """
    trainer = experiment.trainer
    epochs = content["epoch"] + 1
    if epochs >= trainer.max_epochs:
        return f"all {trainer.max_epochs} epochs are trained; trainer.max_epochs={2 * epochs} continues it"
    if trainer.max_time and _seconds_trained(content) >= _to_seconds(trainer.max_time):
        return f"its trainer.max_time={trainer.max_time} is used up; a larger one continues it"
    return None


def go_back(run_dir: Path, path: Path) -> Path | None:
    """Return a run directory to the state of an earlier checkpoint.

    All checkpoints, sample images and rows of metrics.csv from later epochs are moved into a new folder
    `aside-DATE-TIME` in the run directory.

    Args:
        run_dir: the run directory.
        path: the checkpoint, in this directory.

    Returns:
        the new folder; None if there was nothing later than the checkpoint.
    """
    epoch = checkpoint.read(path)["epoch"]
    later = [other for other in run_dir.glob("*.ckpt") if other != path and checkpoint.read(other)["epoch"] > epoch]
    later += [image for image in run_dir.glob("samples/*.png") if epoch_of(image) > epoch]
    rows = read_rows(run_dir / "metrics.csv")
    kept = [row for row in rows if int(row["epoch"]) <= epoch]
    if not later and len(kept) == len(rows):
        return None
    backup = run_dir / time.strftime("aside-%Y%m%d-%H%M%S")
    for source in later:
        target = backup / source.relative_to(run_dir)
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
    if rows:
        backup.mkdir(exist_ok=True)
        shutil.copy2(run_dir / "metrics.csv", backup)
        write_rows(run_dir / "metrics.csv", kept)
    return backup


def _seconds_trained(content: dict[str, Any]) -> float:
    """Return the training time that Lightning's Timer saved in a checkpoint; 0 if the run had no Timer."""
    states = [state for key, state in content["callbacks"].items() if key.startswith("Timer")]
    return states[0]["time_elapsed"].get("train", 0.0) if states else 0.0


def _to_seconds(max_time: str) -> int:
    """Convert DD:HH:MM:SS to seconds."""
    days, hours, minutes, seconds = map(int, max_time.split(":"))
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
