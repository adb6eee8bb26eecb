"""Lightning callbacks: metrics.csv, the W&B run id, and a stop at NaN."""

import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import WandbLogger

from colorgan.errors import UserError
from colorgan.training.history import add_rows
from colorgan.training.writing import warn_if_full


class Diverged(UserError):
    """A run has diverged."""


class StopOnNaN(Callback):
    """Stops a run when a validation metric is NaN, before its checkpoints replace good ones.

    Lightning's EarlyStopping stops it too, but with exit code 0, and only after the checkpoints are saved.

    Raises:
        Diverged: a `val/*` metric is NaN.
    """

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        found = [key for key, value in trainer.callback_metrics.items() if key.startswith("val/") and value.isnan()]
        if found:
            raise Diverged(
                f"epoch {trainer.current_epoch}: {found[0]} is nan, the run has diverged. Its checkpoints are from "
                "before this epoch: lower optim.lr, and go back to one with --from CKPT or start a new run"
            )


class MetricsWriter(Callback):
    """Adds one row to `metrics.csv` and prints one line after every epoch.

    Lightning's CSVLogger deletes the old file when a run resumes; this one keeps every row.

    Args:
        path: the `metrics.csv`.
    """

    def __init__(self, path: Path):
        self.path = path
        self.unwritten: list[dict[str, Any]] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of an epoch that is resumed in its middle."""
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.start = time.monotonic()
        self.images = 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, *_
    ) -> None:
        self.images += len(batch["rgb"]) * trainer.world_size
        self.seconds = time.monotonic() - self.start

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        speed = self.images / self.seconds
        pl_module.log("train/images_per_second", speed, rank_zero_only=True)
        means = pl_module.train_means()
        report = trainer.datamodule.report()
        if not trainer.is_global_zero:
            return
        row = {
            "epoch": trainer.current_epoch,
            "pictures": pl_module.pictures,
            **means,
            "train/images_per_second": speed,
        }
        if pl_module.is_validated_epoch():
            row |= {
                key: float(value)
                for key, value in trainer.callback_metrics.items()
                if key.startswith(("val/", "guard/"))
            }
        self.unwritten.append(row)  # those that a full disk refused are written with the next one
        with warn_if_full(self.path):
            add_rows(self.path, self.unwritten)
            self.unwritten = []
        shown = [f"{key.removeprefix('val/')} {value:.2f}" for key, value in row.items() if key.startswith("val/")]
        print(f"epoch {trainer.current_epoch}: {', '.join([*shown, f'{speed:.1f} images/s'])}", flush=True)
        if report:
            print(report, flush=True)


class SaveWandbRunId(Callback):
    """Saves the id of the W&B run in the checkpoint, so that a resumed run logs to the same one.

    Args:
        logger: the logger of the run.
    """

    def __init__(self, logger: WandbLogger):
        self.logger = logger

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["wandb_id"] = self.logger.version
