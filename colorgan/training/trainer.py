"""Train a resolved experiment: Lightning's Trainer, its callbacks and its logger."""

import logging
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl
import torch
import wandb
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback, RichProgressBar
from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from colorgan import config
from colorgan.data.building import build_data
from colorgan.errors import UserError
from colorgan.systems.base import System
from colorgan.systems.building import build, load_net_weights, with_num_classes
from colorgan.systems.colorization import Colorization
from colorgan.training.callbacks import Diverged, MetricsWriter, SaveWandbRunId, StopOnNaN
from colorgan.training.checkpoints import RollingCheckpoints
from colorgan.training.curves import draw_curves
from colorgan.training.failures import explained
from colorgan.training.guard import Collapsed, CollapseGuard, is_guarded
from colorgan.training.hardware import resolve_hardware
from colorgan.training.history import read_rows
from colorgan.training.loggers import PictureWandbLogger, make_logger
from colorgan.training.ranks import CompareData, CompareRanks
from colorgan.training.samples import Samples
from colorgan.training.writing import SafeCheckpointIO

log = logging.getLogger(__name__)
OUR_STRATEGIES = ("auto", "ddp")  # for which several processes use NetworkDDP
INITIALIZATION_IMAGES = 1000  # number of training images for data-dependent initialization


def fit(
    experiment: DictConfig,
    checkpoint: Path | None = None,
    init: Path | None = None,
    run_id: str | None = None,
    override_lr: bool = False,
    callbacks: Sequence[Callback] = (),
) -> None:
    """Train a run to its end.

    Args:
        experiment: resolved experiment.
        checkpoint: checkpoint to resume from: weights, averages, optimizers, schedules and counters. None to start a
            new run.
        init: checkpoint whose averaged net initializes the net of a new run.
        run_id: id of the W&B run to continue.
        override_lr: use the experiment's learning rates instead of those of the checkpoint.
        callbacks: further ones of Lightning, called after those of a run.

    Raises:
        UserError: the experiment cannot run on this machine, or diverged.
        Diverged: the validation of a run without a guard gives NaN.
        Collapsed: a guarded run has collapsed; see `rollback.fit_guarded`.
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended before the epoch ended")
    warnings.filterwarnings("ignore", message="Be aware that when using `ckpt_path`")  # as guard.enabled=false
    warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")  # Lightning 2.6 under torch 2.15
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")  # as frozen bodies are
    warnings.filterwarnings("ignore", message=".*It is recommended to use `self.log.*sync_dist")  # reduced before
    warnings.filterwarnings("ignore", message=".*`broadcast_buffers` is deprecated")  # torch 2.11 knows no other
    torch.set_float32_matmul_precision("high")
    pl.seed_everything(experiment.seed, workers=True, verbose=False)
    run_dir = Path(experiment.run_dir)
    data = build_data(experiment)
    experiment = with_num_classes(experiment, lambda: len(data.classes), fresh=checkpoint is None)
    system = build(experiment, fresh=checkpoint is None)
    if resolve_hardware(experiment.trainer).accelerator == "cuda":
        system.to(memory_format=torch.channels_last)  # that of tensor cores; on a CPU, nets choose what is faster
    logger = make_logger(experiment, system, run_id)
    trainer = make_trainer(experiment, system, logger)
    if isinstance(system, Colorization):
        trainer.callbacks.insert(0, Samples(run_dir / "samples"))
    trainer.callbacks += callbacks
    system.replaces_rates = override_lr
    _write_experiment(experiment, run_dir)
    if checkpoint is None and (rank_zero_only.rank == 0 or experiment.trainer.strategy not in OUR_STRATEGIES):
        system.initialize(data.sample_train_batches(INITIALIZATION_IMAGES))  # NetworkDDP sends it to all processes
    if init:
        load_net_weights(system, init)
    if experiment.trainer.compile:
        _compile(system, experiment.trainer.compile)
    try:
        with explained(experiment):
            trainer.fit(system, data, ckpt_path=checkpoint, weights_only=True)
    except Collapsed as collapsed:
        _alert(logger, "collapsed", f"{experiment.name} collapsed in epoch {collapsed.collapse.epoch}: {collapsed}", 0)
        raise
    except Diverged as diverged:
        _alert(logger, "diverged", f"{experiment.name} diverged: {diverged}", 1)
        raise
    _finish(run_dir, logger)


def make_trainer(experiment: DictConfig, system: System, logger: Logger | None) -> pl.Trainer:
    """Make Lightning's Trainer for an experiment.

    Args:
        experiment: resolved experiment.
        system: what it is going to train.
        logger: what it logs to, or None.

    Raises:
        UserError: Lightning refuses a setting, or no epoch is validated.
    """
    settings, run_dir = experiment.trainer, Path(experiment.run_dir)
    if not settings.limit_val_batches:
        raise UserError("trainer.limit_val_batches=0: best.ckpt needs validation; use trainer.limit_val_batches=1")
    if not 1 <= settings.check_val_every_n_epoch <= settings.max_epochs:
        raise UserError(
            f"trainer.check_val_every_n_epoch={settings.check_val_every_n_epoch}: best.ckpt needs a validation within "
            f"the {settings.max_epochs} epochs"
        )
    if settings.deterministic and settings.benchmark:
        raise UserError("trainer.benchmark=true chooses algorithms by their speed: leave it out, or --deterministic")
    checkpoints = RollingCheckpoints(run_dir, experiment.checkpoint, system.monitor, system.monitor_mode)
    callbacks: list[Callback] = [CompareData(), MetricsWriter(run_dir / "metrics.csv"), checkpoints]
    if is_guarded(experiment):  # after the row of an epoch is written, and before its checkpoint is
        callbacks.append(CollapseGuard(experiment.guard, checkpoints, system.monitor, system.monitor_mode))
    else:
        callbacks.append(StopOnNaN())
    if isinstance(logger, WandbLogger):
        callbacks.append(SaveWandbRunId(logger))
    if settings.compare_ranks:
        callbacks.append(CompareRanks(settings.compare_ranks))
    if sys.stdout.isatty():
        callbacks.append(RichProgressBar(leave=True))
    hardware = resolve_hardware(settings)
    try:
        return pl.Trainer(
            accelerator=settings.accelerator,
            devices=settings.devices,
            num_nodes=settings.num_nodes,
            strategy=hardware.strategy if settings.strategy in OUR_STRATEGIES else settings.strategy,
            precision=hardware.precision,
            max_epochs=settings.max_epochs,
            max_time=settings.max_time,
            limit_train_batches=settings.limit_train_batches,
            limit_val_batches=settings.limit_val_batches,
            check_val_every_n_epoch=settings.check_val_every_n_epoch,
            log_every_n_steps=settings.log_every_n_steps,
            benchmark=settings.benchmark,
            deterministic=settings.deterministic,
            detect_anomaly=settings.detect_anomaly,
            profiler=settings.profiler,
            sync_batchnorm=hardware.sync_batchnorm,
            num_sanity_val_steps=0,
            logger=logger or False,
            callbacks=callbacks,
            plugins=[SafeCheckpointIO()],
            enable_progress_bar=sys.stdout.isatty(),
            enable_model_summary=False,
            default_root_dir=run_dir,
        )
    except (ValueError, RuntimeError, pl.utilities.exceptions.MisconfigurationException) as error:
        raise UserError(f"trainer: {str(error).splitlines()[0]}") from error


def _compile(system: System, backend: str) -> None:
    """Compile the networks in place, which keeps the names of their weights.

    Raises:
        UserError: torch has no such backend.
    """
    if backend not in torch.compiler.list_backends(exclude_tags=()):
        backends = ", ".join(torch.compiler.list_backends())
        raise UserError(f"trainer.compile={backend}: torch has {backends}; null compiles nothing")
    warnings.filterwarnings("ignore", message="The .grad attribute of a Tensor that is not a leaf")  # of dynamo
    for network, _ in system.networks().values():
        network.compile(backend=backend)


@rank_zero_only
def _write_experiment(experiment: DictConfig, run_dir: Path) -> None:
    run_dir.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(OmegaConf.create(config.plain(experiment)), run_dir / "experiment.yaml")


@rank_zero_only
def _alert(logger: Logger | None, title: str, text: str, exit_code: int) -> None:
    """Send a message to whoever follows the run in W&B, and end its part of the W&B run."""
    if isinstance(logger, PictureWandbLogger):
        logger.alert(title, text)
        wandb.finish(exit_code)


@rank_zero_only
def _finish(run_dir: Path, logger: Logger | None) -> None:
    draw_curves(read_rows(run_dir / "metrics.csv"), run_dir / "curves.png")
    if isinstance(logger, WandbLogger):
        wandb.finish()
