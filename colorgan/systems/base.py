"""Base class of all training systems: model averaging, optimizers, schedules and checkpoints."""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.optim import Optimizer

from colorgan import config
from colorgan.colorizer import checkpoint as checkpoints
from colorgan.errors import UserError
from colorgan.optim.averaging import ExponentialAverage
from colorgan.optim.optimizers import make_optimizer, set_hyperparameters
from colorgan.optim.schedules import make_schedule, set_initial_lr
from colorgan.seeding import seed_of


class System(pl.LightningModule):
    """Base class of the training systems.

    Optimization is manual, so that all systems step, clip, log and resume in the same way.

    Args:
        model: model to train. Its exponential moving average over the steps, `average`, is validated and used.
        experiment: resolved experiment.
        ema: decay of the average.

    Attributes:
        monitor_modes: metrics that `checkpoint.monitor` may name, and whether the smallest or the largest is best.
    """

    monitor_modes: ClassVar[dict[str, Literal["min", "max"]]]

    def __init__(self, model: nn.Module, experiment: DictConfig, ema: float):
        super().__init__()
        if experiment.optim.clip is not None and not experiment.optim.clip > 0:
            raise ValueError(f"optim.clip={experiment.optim.clip}: must be above 0, or null to clip nothing")
        self.automatic_optimization = False
        self.model = model
        self.ema = ExponentialAverage(model, ema)
        self.experiment = experiment
        self.batches_done = 0  # in this epoch

    @property
    def average(self) -> nn.Module:
        """The averaged model."""
        return self.ema.module

    def initialize(self, batches: Iterator[dict[str, Tensor]]) -> None:
        """Initialize parts that depend on the data, before a new run starts; by default there are none.

        Args:
            batches: some training batches.
        """

    def networks(self) -> dict[str, tuple[nn.Module, float]]:
        """Return the networks to train by name, each with the ratio of its learning rate to `optim.lr`."""
        return {"generator": (self.model, 1.0)}

    def configure_optimizers(self) -> tuple[list, list]:
        """Make one optimizer and one schedule for each of `networks`."""
        optim = self.experiment.optim
        optimizers = [make_optimizer(network, optim, ratio) for network, ratio in self.networks().values()]
        mode = self.monitor_mode()
        return optimizers, [make_schedule(optimizer, optim, self.progress, mode) for optimizer in optimizers]

    def monitor_mode(self) -> Literal["min", "max"]:
        """Return whether the smallest or the largest `checkpoint.monitor` is best.

        Raises:
            UserError: the system does not log this metric.
        """
        monitor = self.experiment.checkpoint.monitor
        if monitor not in self.monitor_modes:
            raise UserError(f"checkpoint.monitor={monitor}: this system has {', '.join(self.monitor_modes)}")
        return self.monitor_modes[monitor]

    def progress(self) -> float:
        """Return the done share of the run in [0, 1], by epochs or `trainer.max_time`, whichever is larger."""
        trainer = self._trainer
        if trainer is None or not trainer.training:
            return 0.0
        epochs = trainer.current_epoch + self.batches_done / trainer.num_training_batches
        timer = next((c for c in trainer.callbacks if isinstance(c, pl.callbacks.Timer)), None)
        time = timer.time_elapsed() / (timer.time_elapsed() + timer.time_remaining()) if timer else 0.0
        if timer:  # the clocks of ranks differ, and so would their learning rates, and then their weights
            time = trainer.strategy.broadcast(time)
        return min(1.0, max(epochs / trainer.max_epochs, time))

    def step_optimizer(self, name: str, loss: Tensor) -> None:
        """Take one optimizer step of the network `name` on `loss`; log its gradient norm and learning rate."""
        network, _ = self.networks()[name]
        optimizer = self._optimizers()[list(self.networks()).index(name)]
        optimizer.zero_grad()
        self.manual_backward(loss)
        norm = nn.utils.clip_grad_norm_(network.parameters(), self.experiment.optim.clip or float("inf"))
        optimizer.step()
        self.log_train({f"{name}_gradient_norm": norm, f"{name}_lr": optimizer.param_groups[0]["lr"]})

    def log_train(self, values: dict[str, Any]) -> None:
        """Log values under `train/`, for each step and as means over the epoch."""
        self.log_dict({f"train/{key}": value for key, value in values.items()}, on_step=True, on_epoch=True)

    def log_validation(self, values: dict[str, Tensor]) -> None:
        """Log means over the epoch under `val/`, of values (B,) with one per image."""
        means = {f"val/{key}": value.mean() for key, value in values.items()}
        self.log_dict(means, batch_size=len(next(iter(values.values()))), sync_dist=True)

    def schedules(self) -> list:
        """Return the schedule of each of `networks`."""
        schedules = self.lr_schedulers()
        return schedules if isinstance(schedules, list) else [schedules]

    def reset_learning_rates(self) -> None:
        """Replace the learning rates restored from a checkpoint by those of the experiment."""
        for schedule, (_, ratio) in zip(self.schedules(), self.networks().values(), strict=True):
            set_initial_lr(schedule, self.experiment.optim.lr * ratio)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed dropout by epoch, batch and rank, so that a resumed run equals an uninterrupted one."""
        torch.manual_seed(seed_of(self.experiment.seed, self.current_epoch, batch_idx, self.global_rank))

    def on_train_start(self) -> None:
        """Replace the optimizer settings restored from a checkpoint by those of the experiment."""
        for optimizer in self._optimizers():
            set_hyperparameters(optimizer, self.experiment.optim)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.batches_done = batch_idx + 1
        self.ema.update_parameters(self.model)
        if self.experiment.optim.schedule != "plateau":
            for schedule in self.schedules():
                schedule.step()

    def on_train_epoch_end(self) -> None:
        if self.experiment.optim.schedule == "plateau":
            for schedule in self.schedules():
                schedule.step(self.trainer.callback_metrics[self.experiment.checkpoint.monitor])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["experiment"] = config.plain(self.experiment)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Drop the stored state of schedules or optimizers if the experiment uses another kind."""
        checkpoints.upgrade(checkpoint)
        stored, optim = checkpoint["experiment"]["optim"], self.experiment.optim
        if stored["schedule"] != optim.schedule:
            checkpoint["lr_schedulers"] = []
        if stored.get("optimizer", "adam") != optim.optimizer:
            checkpoint["optimizer_states"] = []

    def _optimizers(self) -> list[Optimizer]:
        """Return Lightning's wrapped optimizers, one for each of `networks`."""
        optimizers = self.optimizers()
        return optimizers if isinstance(optimizers, list) else [optimizers]
