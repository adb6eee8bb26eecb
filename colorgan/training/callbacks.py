"""What a run leaves behind besides weights: rolling checkpoints, a table of metrics, grids of pictures."""

import csv
import os
import re
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor
from torchvision.utils import make_grid, save_image

from colorgan.color import join, split
from colorgan.colorizer.colorizer import Colorizer
from colorgan.errors import UserError

GRID = 8  # pictures in the grid of every epoch


class RollingCheckpoint(ModelCheckpoint):
    """Keeps `last.ckpt`, the last `keep` epochs, and every `keep_every`-th epoch for good (0: none)."""

    def __init__(self, run_dir: Path, keep: int, keep_every: int):
        super().__init__(
            run_dir,
            filename="{epoch:03d}",
            monitor="step",
            mode="max",
            save_top_k=keep,
            save_last=True,
            enable_version_counter=False,
        )
        self.keep_every = keep_every

    def _remove_checkpoint(self, trainer: pl.Trainer, filepath: str) -> None:
        if self.keep_every and (epoch_of(Path(filepath)) + 1) % self.keep_every == 0:
            return
        super()._remove_checkpoint(trainer, filepath)


def epoch_of(path: Path) -> int:
    """The epoch in a name like `epoch=012.ckpt`; -1 if there is none."""
    found = re.fullmatch(r"epoch=(\d+)", path.stem)
    return int(found[1]) if found else -1


class StopOnNaN(Callback):
    """End a run whose validation gives nan, before its checkpoints replace the good ones.

    Lightning's EarlyStopping ends it too, but with the exit code 0, and only after the checkpoints.
    """

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        found = [key for key, value in trainer.callback_metrics.items() if key.startswith("val/") and value.isnan()]
        if found:
            raise UserError(
                f"epoch {trainer.current_epoch}: {found[0]} is nan, the run has diverged. Its checkpoints are those "
                "before this epoch: lower optim.lr, and go back to one by --from CKPT or start again"
            )


class Metrics(Callback):
    """One row of `metrics.csv` and one printed line an epoch.

    Lightning's CSVLogger deletes the old file when a run resumes; this keeps every row.
    """

    def __init__(self, path: Path):
        self.path = path

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.start = time.monotonic()
        self.pictures = 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, *_
    ) -> None:
        self.pictures += len(batch["rgb"]) * trainer.world_size
        self.seconds = time.monotonic() - self.start

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        speed = self.pictures / self.seconds
        pl_module.log("train/images_per_second", speed, rank_zero_only=True)
        report = trainer.datamodule.report()
        if not trainer.is_global_zero:
            return
        means = {key: float(value) for key, value in trainer.callback_metrics.items() if not key.endswith("_step")}
        row = {"epoch": trainer.current_epoch, **{key.removesuffix("_epoch"): value for key, value in means.items()}}
        row["train/images_per_second"] = speed
        add_row(self.path, row)
        shown = [f"{key.removeprefix('val/')} {value:.2f}" for key, value in row.items() if key.startswith("val/")]
        print(f"epoch {trainer.current_epoch}: {', '.join(shown)}, {speed:.1f} images/s", flush=True)
        if report:
            print(report, flush=True)


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of `metrics.csv`; none if there is no such file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Writes all rows under all their columns, in one step: a kill leaves the old file or the new one."""
    columns = dict.fromkeys(key for row in rows for key in row)
    draft = path.with_suffix(".csv.tmp")
    with draft.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    os.replace(draft, path)


def add_row(path: Path, row: dict[str, Any]) -> None:
    """Appends one epoch; an epoch that was trained before (and lost to a crash) is replaced."""
    rows = [old for old in read_rows(path) if int(old["epoch"]) < row["epoch"]]
    write_rows(path, [*rows, row])


class SampleGrid(Callback):
    """Paints the same validation pictures after every epoch: gray | prediction | truth, on disk and in W&B."""

    def __init__(self, folder: Path):
        self.folder = folder

    @rank_zero_only
    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        rgb = trainer.datamodule.sample_val_batch(GRID)["rgb"].to(pl_module.device)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"epoch={trainer.current_epoch:03d}.png"
        save_image(paint_grid(pl_module.average, rgb), path)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image("val/samples", [str(path)])


def paint_grid(colorizer: Colorizer, rgb: Tensor) -> Tensor:
    """Gray | prediction | truth, two pictures a row.

    Args:
        colorizer: maps L (B, 1, H, W) to ab (B, 2, H, W).
        rgb: (B, 3, H, W) in [0, 1].

    Returns:
        (3, H', W') in [0, 1].
    """
    L, ab = split(rgb)
    with torch.no_grad():
        painted = join(L, colorizer(L))
    columns = torch.stack([join(L, torch.zeros_like(ab)), painted, rgb], dim=1)  # (B, 3 columns, 3, H, W)
    return make_grid(columns.flatten(0, 1), nrow=6)
