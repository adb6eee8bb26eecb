"""Base class of all training systems: model averaging, optimizers, schedules and checkpoints."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
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
from colorgan.optim.optimizers import has_own_body_rate, make_optimizer, restore_settings
from colorgan.optim.schedules import make_schedule, set_initial_lr
from colorgan.seeding import seed_of
from colorgan.systems import local_state
from colorgan.systems.bad_steps import BadSteps
from colorgan.systems.local_state import batch_statistics
from colorgan.systems.means import TrainingMeans
from colorgan.systems.restoring import drop_other_states, pictures_of


class System(pl.LightningModule):
    """Base class of the training systems.

    Optimization is manual, so that all systems step, clip, log and resume in the same way.

    Args:
        model: model to train. Its exponential moving average over the steps, `average`, is validated and used.
        experiment: resolved experiment.
        ema: decay of the average.

    Attributes:
        monitor_modes: metrics that `checkpoint.monitor` may name, and whether the smallest or the largest is best.
        default_monitor: the metric of `checkpoint.monitor=null`.
        pictures: number of training pictures that all processes have seen since the beginning of the run.
    """

    monitor_modes: ClassVar[dict[str, Literal["min", "max"]]]
    default_monitor: ClassVar[str]

    def __init__(self, model: nn.Module, experiment: DictConfig, ema: float):
        super().__init__()
        if experiment.optim.clip is not None and not experiment.optim.clip > 0:
            raise ValueError(f"optim.clip={experiment.optim.clip}: must be above 0, or null to clip nothing")
        if experiment.optim.accumulate < 1:
            raise ValueError(f"optim.accumulate={experiment.optim.accumulate}: a batch has at least 1 part")
        self.automatic_optimization = False
        self.model = model
        self.ema = ExponentialAverage(model, ema)
        self.experiment = experiment
        self.replaces_rates = False  # of a checkpoint by those of the experiment, where the run is resumed
        self._stepped: set[str] = set()  # networks that this batch has trained
        self._replicas: dict[str, nn.Module] = {}  # networks by name, wrapped in DistributedDataParallel
        self._means = TrainingMeans()
        self.pictures = 0
        self._resumed_states: list[dict[str, Any]] = []  # of each process, from the middle of an epoch
        self.bad_steps: BadSteps | None = None  # of a guarded run, which leaves them out

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
        if has_own_body_rate(optim) and not any(g.get("is_body") for o in optimizers for g in o.param_groups):
            raise UserError("optim.encoder_lr and optim.encoder_warmup: no network here has a body that is trained")
        mode = self.monitor_mode
        return optimizers, [make_schedule(optimizer, optim, self.progress, mode) for optimizer in optimizers]

    @property
    def monitor(self) -> str:
        """The metric whose best epoch is kept.

        Raises:
            UserError: the system does not log this metric.
        """
        monitor = self.experiment.checkpoint.monitor or self.default_monitor
        if monitor not in self.monitor_modes:
            raise UserError(f"checkpoint.monitor={monitor}: this system has {', '.join(self.monitor_modes)}")
        return monitor

    @property
    def monitor_mode(self) -> Literal["min", "max"]:
        """Whether the smallest or the largest value of `monitor` is best."""
        return self.monitor_modes[self.monitor]

    def progress(self) -> float:
        """Return the done share of the run in [0, 1], by epochs or `trainer.max_time`, whichever is larger."""
        trainer = self._trainer
        if trainer is None or not trainer.training:
            return 0.0
        epochs = trainer.current_epoch + self._means.batches / trainer.num_training_batches
        timer = next((c for c in trainer.callbacks if isinstance(c, pl.callbacks.Timer)), None)
        time = timer.time_elapsed() / (timer.time_elapsed() + timer.time_remaining()) if timer else 0.0
        if timer:  # the clocks of ranks differ, and so would their learning rates, and then their weights
            time = trainer.strategy.broadcast(time)
        return min(1.0, max(epochs / trainer.max_epochs, time))

    def replicate(self, wrap: Callable[[nn.Module], nn.Module]) -> None:
        """Wrap each network for training in several processes; called by `NetworkDDP`.

        Args:
            wrap: returns a module in DistributedDataParallel.
        """
        self._replicas = {name: wrap(_Call(network)) for name, (network, _) in self.networks().items()}

    def call(self, name: str, function: Callable, *args: Any) -> Any:
        """Call a function that uses the network `name` on the way to its loss.

        Between processes, the gradients of this network alone are averaged in the backward pass of the loss.
        """
        return self._replicas[name](function, *args) if self._replicas else function(*args)

    def split_batch(self, batch: dict[str, Tensor]) -> list[tuple[dict[str, Tensor], float]]:
        """Split a batch into `optim.accumulate` parts, each with its share of the batch."""
        size = len(batch["rgb"])
        chunks = {key: value.chunk(self.experiment.optim.accumulate) for key, value in batch.items()}
        parts = [dict(zip(chunks, values, strict=True)) for values in zip(*chunks.values(), strict=True)]
        return [(part, len(part["rgb"]) / size) for part in parts]

    def step_optimizer(self, name: str, losses: Sequence[Callable[[], Tensor]]) -> None:
        """Take one optimizer step of the network `name`; log its gradient norm and learning rate.

        Args:
            name: of the network.
            losses: compute the loss of each part of the batch, times its share; the gradients are added.
        """
        network, _ = self.networks()[name]
        optimizer = self._optimizers()[list(self.networks()).index(name)]
        optimizer.zero_grad()
        for i, loss in enumerate(losses):
            if self._replicas:  # only the sum of the gradients is averaged between processes
                self._replicas[name].require_backward_grad_sync = i == len(losses) - 1
            self.manual_backward(self.bad_steps.mark(loss()) if self.bad_steps else loss())
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        if self.experiment.optim.clip:
            nn.utils.clip_grads_with_norm_(network.parameters(), self.experiment.optim.clip, norm)
        if self.bad_steps is None:
            optimizer.step()
            self._stepped.add(name)
        elif self.bad_steps.step(optimizer, norm):
            self._stepped.add(name)
        self.log_train({f"{name}_gradient_norm": norm, f"{name}_lr": optimizer.param_groups[0]["lr"]})

    def log_train(self, values: dict[str, Any], share: float = 1.0) -> None:
        """Log values of a training step under `train/`.

        They reach the logger every `trainer.log_every_n_steps` batches, and `train_means` after each epoch. Lightning's
        `log_dict` does the same, at 10 ms a step.

        Args:
            values: numbers, or scalar tensors without gradient.
            share: of the batch. The values of its parts are averaged, and so are those of several steps on a batch.
        """
        self._means.add({f"train/{key}": value for key, value in values.items()}, share)

    def step_means(self) -> dict[str, Any]:
        """Return the means over this batch of what `log_train` was given, numbers or scalar tensors."""
        return self._means.of_batch()

    def train_means(self) -> dict[str, float]:
        """Return the means over the batches of this epoch, and over all processes, of what `log_train` was given."""
        return self._means.of_epoch(lambda means: self.trainer.strategy.reduce(means, reduce_op="mean"), self.device)

    def is_validated_epoch(self) -> bool:
        """Whether this epoch ends with a validation."""
        return (self.current_epoch + 1) % self.experiment.trainer.check_val_every_n_epoch == 0

    def log_validation(self, values: dict[str, Tensor]) -> None:
        """Log means over the epoch under `val/`, of values (B,) with one per image."""
        means = {f"val/{key}": value.mean() for key, value in values.items()}
        self.log_dict(means, batch_size=len(next(iter(values.values()))), sync_dist=True)

    def schedules(self) -> list:
        """Return the schedule of each of `networks`, whose batches are those that train it."""
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
        """Restore what this process had for itself, and the settings of the experiment in place of those restored."""
        if self._resumed_states:
            local_state.restore(self._resumed_states, self.global_rank, batch_statistics(self))
            self._resumed_states = []
        for optimizer, (network, ratio) in zip(self._optimizers(), self.networks().values(), strict=True):
            restore_settings(optimizer, make_optimizer(network, self.experiment.optim, ratio))
        if self.replaces_rates:
            self.reset_learning_rates()

    @abstractmethod
    def train_batch(self, batch: dict[str, Tensor]) -> None:
        """Take the optimizer steps of a batch on the device."""

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Train on a batch, and complete it: a checkpoint that a callback writes after it lacks nothing of it."""
        if self.bad_steps:
            self.bad_steps.start_batch()
        self.train_batch(batch)
        self.pictures += len(batch["rgb"]) * self.trainer.world_size
        means = self._means.end_batch(self.bad_steps.end_batch() if self.bad_steps else None)
        if (self.trainer.fit_loop.total_batch_idx + 1) % self.trainer.log_every_n_steps == 0:
            self.log_dict({f"{key}_step": value for key, value in means.items()}, on_step=True)
        self.ema.update_parameters(self.model)
        if self.experiment.optim.schedule != "plateau":
            for name, schedule in zip(self.networks(), self.schedules(), strict=True):
                if name in self._stepped:
                    schedule.step()
        self._stepped.clear()

    def on_train_epoch_start(self) -> None:
        self._means.start_epoch()

    def on_validation_start(self) -> None:
        """Average the batch statistics of the processes, each of which has seen other pictures."""
        for statistic in batch_statistics(self).values() if self._replicas else ():
            statistic.copy_(self.trainer.strategy.reduce(statistic.clone(), reduce_op="mean"))

    def on_train_epoch_end(self) -> None:
        self.log_dict(self.train_means())
        if self.experiment.optim.schedule == "plateau" and self.is_validated_epoch():
            for schedule in self.schedules():
                schedule.step(self.trainer.callback_metrics[self.monitor])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["experiment"] = config.plain(self.experiment)
        checkpoint["pictures"] = self.pictures
        epochs = self.trainer.fit_loop.epoch_progress.current
        if epochs.started > epochs.processed:  # in the middle of an epoch
            ranks = local_state.gather(batch_statistics(self), self._means.sums, self.trainer.world_size)
            checkpoint["epoch_so_far"] = {"batches": self._means.batches, "ranks": ranks}
        elif self.is_validated_epoch():  # for the model's card
            logged = self.trainer.callback_metrics.items()
            checkpoint["metrics"] = {key: float(value) for key, value in logged if key.startswith("val/")}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the means of a half-done epoch, and drop the state of schedules or optimizers of another kind."""
        checkpoints.upgrade(checkpoint)
        self.pictures = pictures_of(checkpoint, self.trainer.world_size)
        if so_far := checkpoint.get("epoch_so_far"):
            self._resumed_states = so_far["ranks"]
            self._means.start_epoch(
                so_far["batches"], local_state.sums_of(self._resumed_states, self.global_rank, self.device)
            )
        self.replaces_rates |= drop_other_states(checkpoint, self.experiment.optim)

    def _optimizers(self) -> list[Optimizer]:
        """Return Lightning's wrapped optimizers, one for each of `networks`."""
        optimizers = self.optimizers()
        return optimizers if isinstance(optimizers, list) else [optimizers]


class _Call(nn.Module):
    """Calls functions of a network through `forward`, the only method that DistributedDataParallel looks after."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, function: Callable, *args: Any) -> Any:
        return function(*args)
