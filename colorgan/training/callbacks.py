"""Lightning callbacks: metrics.csv, sample images, the W&B run id, and a stop at NaN."""

import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor
from torchvision.utils import make_grid, save_image

from colorgan.color import join, split
from colorgan.colorizer.colorizer import Colorizer
from colorgan.errors import UserError
from colorgan.training.history import add_rows
from colorgan.training.writing import warn_if_full

NUM_SAMPLES = 8  # validation images in the grid of each epoch


class StopOnNaN(Callback):
    """Stops a run when a validation metric is NaN, before its checkpoints replace good ones.

    Lightning's EarlyStopping stops it too, but with exit code 0, and only after the checkpoints are saved.

    Raises:
        UserError: a `val/*` metric is NaN.
    """

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        found = [key for key, value in trainer.callback_metrics.items() if key.startswith("val/") and value.isnan()]
        if found:
            raise UserError(
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


class SampleGrid(Callback):
    """Saves and logs the same validation images after every epoch, each as gray | predicted | true.

    Args:
        folder: folder for the PNG files, one per epoch. They are logged to W&B, too, if the run has its logger.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    @rank_zero_only
    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        rgb = trainer.datamodule.sample_val_batch(NUM_SAMPLES)["rgb"].to(pl_module.device)
        path = self.folder / f"epoch={trainer.current_epoch:03d}.png"
        with warn_if_full(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            save_image(make_sample_grid(pl_module.average, rgb), path)
            for logger in trainer.loggers:
                if isinstance(logger, WandbLogger):
                    logger.log_image("val/samples", [str(path)])


def make_sample_grid(colorizer: Colorizer, rgb: Tensor) -> Tensor:
    """Make a grid of images, each as gray | predicted | true, two of them per row.

    Args:
        colorizer: maps L (B, 1, H, W) to ab (B, 2, H, W).
        rgb: true images (B, 3, H, W) in [0, 1].

    Returns:
        image (3, H', W') in [0, 1].
    """
    L, ab = split(rgb)
    with torch.no_grad():
        predicted = join(L, colorizer(L))
    columns = torch.stack([join(L, torch.zeros_like(ab)), predicted, rgb], dim=1)  # (B, 3 columns, 3, H, W)
    return make_grid(columns.flatten(0, 1), nrow=6)


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
