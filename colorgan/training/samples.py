"""What a run shows of its validation: the same pictures each epoch, as a grid and as a table with their errors."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import wandb
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor
from torchvision.utils import make_grid, save_image

from colorgan.color import join, split
from colorgan.colorizer.colorizer import Colorizer
from colorgan.metrics import ab_error, psnr
from colorgan.training.loggers import PictureTensorBoardLogger
from colorgan.training.writing import warn_if_full

NUM_SAMPLES = 8  # validation images in the grid of each epoch
GRID, TABLE = "val/samples", "val/pictures"  # keys in the logger
COLUMNS = ("picture", "gray", "prediction", "truth", "ab_error", "psnr", "epoch")


class Samples(Callback):
    """Saves and logs the same validation images after every epoch, each as gray | predicted | true.

    W&B gets a table of them with their errors, too, after 1, 2, 4, 8, ... epochs and after the last: each table is kept
    for good, and one an epoch would grow without bound.

    Args:
        folder: folder for the PNG files, one per epoch.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    @rank_zero_only
    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        batch = trainer.datamodule.sample_val_batch(NUM_SAMPLES)
        versions, ab = color_samples(pl_module.average, batch["rgb"].to(pl_module.device))
        grid = make_grid(versions.flatten(0, 1), nrow=6)
        path = self.folder / f"epoch={trainer.current_epoch:03d}.png"
        with warn_if_full(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            save_image(grid, path)
            for logger in trainer.loggers:
                if isinstance(logger, WandbLogger):
                    logger.log_image(GRID, [str(path)])
                    if _has_table(trainer):
                        names = _names(trainer, batch["index"])
                        logger.log_table(TABLE, list(COLUMNS), make_rows(names, versions, ab, trainer.current_epoch))
                elif isinstance(logger, PictureTensorBoardLogger):
                    logger.log_image(GRID, grid)


def color_samples(colorizer: Colorizer, rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Color images.

    Args:
        colorizer: maps L (B, 1, H, W) to ab (B, 2, H, W).
        rgb: true images (B, 3, H, W) in [0, 1].

    Returns:
        their versions (B, 3, 3, H, W) in [0, 1]: gray, predicted and true; and the predicted ab in Lab units.
    """
    L, true_ab = split(rgb)
    with torch.no_grad():
        ab = colorizer(L)
    return torch.stack([join(L, torch.zeros_like(true_ab)), join(L, ab), rgb], dim=1), ab


def make_rows(names: list[str], versions: Tensor, ab: Tensor, epoch: int) -> list[list[Any]]:
    """Return the rows of a table of W&B, with the columns `COLUMNS`, of what `color_samples` returned."""
    _, predicted, true = versions.unbind(1)
    levels = (255 * versions).round().byte().permute(0, 1, 3, 4, 2).cpu().numpy()  # W&B would stretch other ranges
    errors, ratios = ab_error(ab, split(true)[1]).tolist(), psnr(predicted, true).tolist()
    return [
        [name, *map(wandb.Image, pictures), error, ratio, epoch]
        for name, pictures, error, ratio in zip(names, levels, errors, ratios, strict=True)
    ]


def _has_table(trainer: pl.Trainer) -> bool:
    """Return whether this is the last epoch, or the number of epochs is a power of two."""
    done = trainer.current_epoch + 1
    return done & (done - 1) == 0 or done == trainer.max_epochs or trainer.should_stop


def _names(trainer: pl.Trainer, indices: Tensor) -> list[str]:
    """Return the names of validation images, without their folders."""
    source = trainer.datamodule.source(train=False)
    return [Path(source.name(index)).name for index in indices.tolist()]
