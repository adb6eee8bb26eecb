"""Run directories: find the latest checkpoint, tell whether a run is complete, and go back to an earlier epoch."""

import itertools
import math
import re
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from colorgan.colorizer import checkpoint
from colorgan.errors import UserError
from colorgan.training.history import read_rows, write_rows


@dataclass(frozen=True, order=True)
class Place:
    """A place in a run: the end of an epoch, or after a number of its batches."""

    epoch: int
    batch: float = math.inf

    @property
    def is_end(self) -> bool:
        """Whether it is the end of an epoch."""
        return self.batch == math.inf

    @property
    def file_name(self) -> str:
        """The name of the checkpoint."""
        return f"epoch={self.epoch:03d}.ckpt" if self.is_end else f"epoch={self.epoch:03d}-batch={self.batch:06d}.ckpt"


def place_of(path: Path) -> Place | None:
    """Return the place in a name such as `epoch=012.ckpt` or `epoch=012-batch=000340.ckpt`; None if there is none."""
    found = re.fullmatch(r"epoch=(\d+)(?:-batch=(\d+))?", path.stem)
    if not found:
        return None
    return Place(int(found[1]), int(found[2]) if found[2] else math.inf)


def place_in(content: dict[str, Any]) -> Place:
    """Return the place of what `checkpoint.read` returned."""
    so_far = content.get("epoch_so_far")
    return Place(content["epoch"], so_far["batches"] if so_far else math.inf)


def epochs_done(content: dict[str, Any]) -> int:
    """Return the number of completed epochs of a checkpoint."""
    place = place_in(content)
    return place.epoch + place.is_end


def checkpoints_of(run_dir: Path) -> list[Path]:
    """Return the checkpoints that are named after their places, oldest first."""
    return sorted(filter(place_of, run_dir.glob("epoch=*.ckpt")), key=place_of)


def latest_checkpoint(run_dir: Path) -> Path | None:
    """Return the checkpoint to resume from: the latest one that is whole, else last.ckpt; None where there is none.

    Damaged ones are passed over, with a line on stderr for each.

    Raises:
        UserError: all are damaged.
    """
    candidates = [*reversed(checkpoints_of(run_dir)), *filter(Path.exists, [run_dir / "last.ckpt"])]
    for path in candidates:
        if checkpoint.is_whole(path):
            return path
        print(f"{path}: damaged, passed over", file=sys.stderr)
    if candidates:
        raise UserError(f"{run_dir}: no checkpoint of this run can be read; start another run with run_dir=...")
    return None


def contains_run(run_dir: Path) -> bool:
    """Return whether a run has saved anything in this directory; without that, there are no results to overwrite."""
    return any(run_dir.glob("*.ckpt")) or (run_dir / "metrics.csv").exists()


def completion_message(content: dict[str, Any], experiment: DictConfig) -> str | None:
    """Describe why a run is complete, and how to train it further.

    Args:
        content: content of its latest checkpoint.
        experiment: resolved experiment under which it would continue.

    Returns:
        a message; None if there is training left to do.
    """
    trainer = experiment.trainer
    epochs = epochs_done(content)
    if epochs >= trainer.max_epochs:
        return f"all {trainer.max_epochs} epochs are trained; trainer.max_epochs={2 * epochs} continues it"
    if trainer.max_time and _seconds_trained(content) >= _to_seconds(trainer.max_time):
        return f"its trainer.max_time={trainer.max_time} is used up; a larger one continues it"
    return None


def go_back(run_dir: Path, path: Path | None) -> Path | None:
    """Return a run directory to the state of an earlier checkpoint.

    All checkpoints, sample images and rows of metrics.csv from later epochs are moved into a new folder
    `aside-DATE-TIME` in the run directory.

    Args:
        run_dir: the run directory.
        path: the checkpoint, in this directory; None for the beginning of the run.

    Returns:
        the new folder; None if there was nothing later than the checkpoint.
    """
    place = place_in(checkpoint.read(path)) if path else Place(0, 0)
    others = [other for other in run_dir.glob("*.ckpt") if other != path]
    later = [other for other in others if (place_of(other.resolve()) or place_in(checkpoint.read(other))) > place]
    ended = place.epoch if place.is_end else place.epoch - 1
    later += [image for image in run_dir.glob("samples/*.png") if (at := place_of(image)) and at.epoch > ended]
    rows = read_rows(run_dir / "metrics.csv")
    kept = [row for row in rows if int(row["epoch"]) <= ended]
    if not later and len(kept) == len(rows):
        return None
    backup = _new_folder(run_dir / time.strftime("aside-%Y%m%d-%H%M%S"))
    for source in later:
        target = backup / source.relative_to(run_dir)
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
    if rows:
        backup.mkdir(exist_ok=True)
        shutil.copy2(run_dir / "metrics.csv", backup)
        if kept:
            write_rows(run_dir / "metrics.csv", kept)
        else:
            (run_dir / "metrics.csv").unlink()
    return backup


def _new_folder(path: Path) -> Path:
    """Return a path that does not exist yet: two folders of one second get different names."""
    names = (path.with_name(f"{path.name}-{i}") if i else path for i in itertools.count())
    return next(name for name in names if not name.exists())


def _seconds_trained(content: dict[str, Any]) -> float:
    """Return the training time that Lightning's Timer saved in a checkpoint; 0 if the run had no Timer."""
    states = [state for key, state in content["callbacks"].items() if key.startswith("Timer")]
    return states[0]["time_elapsed"].get("train", 0.0) if states else 0.0


def _to_seconds(max_time: str) -> int:
    """Convert DD:HH:MM:SS to seconds."""
    days, hours, minutes, seconds = map(int, max_time.split(":"))
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
