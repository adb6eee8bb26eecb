"""Run directories: where a run stands, and how to go back in it without losing anything."""

import re
import shutil
import time
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from colorgan.colorizer import checkpoint
from colorgan.training.callbacks import epoch_of, read_rows, write_rows


def newest(run_dir: Path) -> Path | None:
    """The checkpoint to go on from: the latest epoch's, else last.ckpt, else None."""
    epochs = [path for path in run_dir.glob("epoch=*.ckpt") if epoch_of(path) >= 0]
    if epochs:
        return max(epochs, key=epoch_of)
    last = run_dir / "last.ckpt"
    return last if last.exists() else None


def holds_run(run_dir: Path) -> bool:
    """Whether an epoch of an earlier run is there; a run that ended before its first left nothing to lose."""
    return newest(run_dir) is not None or (run_dir / "metrics.csv").exists()


def why_complete(content: dict[str, Any], experiment: DictConfig) -> str | None:
    """What ended the run of this checkpoint under this experiment, and how to go on; None if there is more to do."""
    trainer = experiment.trainer
    epochs = content["epoch"] + 1
    if epochs >= trainer.max_epochs:
        return f"all {trainer.max_epochs} epochs are trained; trainer.max_epochs={2 * epochs} goes on"
    if trainer.max_time and _seconds_trained(content) >= _seconds(trainer.max_time):
        return f"its trainer.max_time={trainer.max_time} is used up; a larger one goes on"
    return None


def set_aside(run_dir: Path, path: Path) -> Path | None:
    """Goes back to the checkpoint `path`: moves all that is later than it into a folder of its own.

    Returns:
        the folder, or None if nothing was later.
    """
    epoch = checkpoint.read(path)["epoch"]
    later = [other for other in run_dir.glob("*.ckpt") if other != path and checkpoint.read(other)["epoch"] > epoch]
    later += [picture for picture in run_dir.glob("samples/*.png") if epoch_of(picture) > epoch]
    rows = read_rows(run_dir / "metrics.csv")
    kept = [row for row in rows if int(row["epoch"]) <= epoch]
    if not later and len(kept) == len(rows):
        return None
    aside = run_dir / time.strftime("aside-%Y%m%d-%H%M%S")
    for source in later:
        target = aside / source.relative_to(run_dir)
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
    if rows:
        aside.mkdir(exist_ok=True)
        shutil.copy2(run_dir / "metrics.csv", aside)
        write_rows(run_dir / "metrics.csv", kept)
    return aside


def _seconds_trained(content: dict[str, Any]) -> float:
    """What Lightning's Timer had counted."""
    states = [state for key, state in content["callbacks"].items() if key.startswith("Timer")]
    return states[0]["time_elapsed"].get("train", 0.0) if states else 0.0


def _seconds(max_time: str) -> int:
    days, hours, minutes, seconds = map(int, re.split(":", max_time))
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
