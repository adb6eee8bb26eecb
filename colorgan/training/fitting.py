"""From a resolved experiment to a trained run: Lightning's Trainer, its callbacks and its logger."""

import logging
import os
import sys
import uuid
import warnings
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
import wandb
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from colorgan import config
from colorgan.data.building import build_data
from colorgan.errors import UserError
from colorgan.systems.building import build, start_from, with_classes
from colorgan.systems.colorization import Colorization
from colorgan.training.callbacks import Metrics, RollingCheckpoint, SampleGrid, StopOnNaN, read_rows
from colorgan.training.curves import draw_curves

log = logging.getLogger(__name__)
INITIALIZATION_PICTURES = 1000  # training pictures that data-dependent initialization gets


def fit(
    experiment: DictConfig,
    checkpoint: Path | None = None,
    init: Path | None = None,
    run_id: str | None = None,
    lr_wins: bool = False,
) -> None:
    """Trains a run to its end.

    Args:
        experiment: resolved.
        checkpoint: weights, optimizers, schedules, averages and counters go on from there.
        init: the averaged net of this checkpoint is where a new run's net starts.
        run_id: the W&B run to continue.
        lr_wins: the experiment's learning rates win over those of the checkpoint.

    Raises:
        UserError: the experiment cannot run here.
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")  # Lightning 2.6 under torch 2.15
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")  # frozen bodies are
    torch.set_float32_matmul_precision("high")
    pl.seed_everything(experiment.seed, workers=True, verbose=False)
    run_dir = Path(experiment.run_dir)
    data = build_data(experiment)
    experiment = with_classes(experiment, lambda: len(data.classes), fresh=checkpoint is None)
    system = build(experiment, fresh=checkpoint is None)
    logger = make_logger(experiment, run_id)
    trainer = make_trainer(experiment, logger, system.direction())
    if isinstance(system, Colorization):
        trainer.callbacks.insert(0, SampleGrid(run_dir / "samples"))
    if lr_wins:
        trainer.callbacks.append(LearningRateWins())
    _write_experiment(experiment, run_dir)
    if checkpoint is None:
        system.initialize(data.sample_train_batches(INITIALIZATION_PICTURES))
    if init:
        start_from(system, init)
    trainer.fit(system, data, ckpt_path=checkpoint, weights_only=True)
    _finish(run_dir, logger)


def make_trainer(experiment: DictConfig, logger: WandbLogger | None, direction: Literal["min", "max"]) -> pl.Trainer:
    """Lightning's Trainer as the experiment describes it; in `direction` lie the better values of its metric."""
    settings, run_dir = experiment.trainer, Path(experiment.run_dir)
    if not settings.limit_val_batches:
        raise UserError("trainer.limit_val_batches=0: validation chooses best.ckpt; use trainer.limit_val_batches=1")
    callbacks: list[Callback] = [
        StopOnNaN(),
        Metrics(run_dir / "metrics.csv"),
        ModelCheckpoint(
            run_dir,
            filename="best",
            monitor=experiment.checkpoint.monitor,
            mode=direction,
            enable_version_counter=False,
        ),
        # After the best, so that an epoch's checkpoint knows whether it was: a resumed run keeps best.ckpt.
        RollingCheckpoint(run_dir, experiment.checkpoint.keep, experiment.checkpoint.keep_every),
    ]
    if logger:
        callbacks.append(WandbRun(logger))
    if sys.stdout.isatty():
        callbacks.append(RichProgressBar(leave=True))
    several = processes(settings) > 1
    try:
        return pl.Trainer(
            accelerator=settings.accelerator,
            devices=settings.devices,
            num_nodes=settings.num_nodes,
            # Each backward of a GAN step leaves the other network without a gradient; plain DDP dies of that.
            strategy="ddp_find_unused_parameters_true"
            if several and settings.strategy == "auto"
            else settings.strategy,
            precision=pick_precision(settings.precision, settings.accelerator),
            max_epochs=settings.max_epochs,
            max_time=settings.max_time,
            limit_train_batches=settings.limit_train_batches,
            limit_val_batches=settings.limit_val_batches,
            sync_batchnorm=several and torch.cuda.is_available(),
            num_sanity_val_steps=0,
            logger=logger or False,
            callbacks=callbacks,
            enable_progress_bar=sys.stdout.isatty(),
            enable_model_summary=False,
            default_root_dir=run_dir,
        )
    except (ValueError, RuntimeError, pl.utilities.exceptions.MisconfigurationException) as error:
        raise UserError(f"trainer: {str(error).splitlines()[0]}") from error


def pick_precision(precision: str, accelerator: str) -> str:
    """`auto` is bf16-mixed where the hardware computes in it, 32-true elsewhere."""
    if precision != "auto":
        return precision
    if accelerator != "cpu" and torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = torch.cpu.get_capabilities().get("amx_bf16", False)  # AVX-512's is slower than float32
    return "bf16-mixed" if fast else "32-true"


def processes(settings: DictConfig) -> int:
    """How many processes the run takes."""
    if settings.accelerator != "cpu" and torch.cuda.is_available():
        devices = torch.cuda.device_count() if settings.devices in ("auto", -1, "-1") else settings.devices
    else:
        devices = 1 if settings.devices == "auto" else settings.devices
    return settings.num_nodes * (int(devices) if str(devices).isdigit() else len(str(devices).split(",")))


def make_logger(experiment: DictConfig, run_id: str | None) -> WandbLogger | None:
    """The W&B run, or None if it is disabled; `auto` is online where an API key is known."""
    mode = experiment.wandb.mode
    if mode == "auto":
        mode = "online" if wandb.login(prompt=False, verify=False) else "offline"
    if mode == "disabled":
        return None
    Path(experiment.run_dir).mkdir(parents=True, exist_ok=True)
    return WandbLogger(
        name=experiment.name,
        project=experiment.wandb.project,
        save_dir=experiment.run_dir,
        id=run_id or os.environ.get(wandb.env.RUN_ID) or uuid.uuid4().hex[:8],  # a sweep's agent sets one
        resume="allow",
        offline=mode == "offline",
        mode=mode,
        tags=list(experiment.wandb.tags),
        config=config.plain(experiment),
        settings=wandb.Settings(silent=mode == "offline"),
    )


class WandbRun(Callback):
    """Stores the id of the W&B run in the checkpoint, so that a resumed run continues its curves."""

    def __init__(self, logger: WandbLogger):
        self.logger = logger

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["wandb_id"] = self.logger.version


class LearningRateWins(Callback):
    """Puts the experiment's learning rates in place of those that the checkpoint restored."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.restart_learning_rates()


@rank_zero_only
def _write_experiment(experiment: DictConfig, run_dir: Path) -> None:
    run_dir.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(OmegaConf.create(config.plain(experiment)), run_dir / "experiment.yaml")


@rank_zero_only
def _finish(run_dir: Path, logger: WandbLogger | None) -> None:
    draw_curves(read_rows(run_dir / "metrics.csv"), run_dir / "curves.png")
    if logger:
        wandb.finish()
