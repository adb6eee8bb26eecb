"""What every system shares: an averaged net, optimizers and schedules that resume rightly, and its checkpoint."""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from colorgan import config
from colorgan.errors import UserError
from colorgan.optim.optimizers import make_optimizer, override
from colorgan.optim.schedules import make_schedule, restart
from colorgan.seeding import seed_of


class System(pl.LightningModule):
    """A net that learns; `ema` is its average over the steps, which validates and is used.

    Optimization is manual, so that every system steps, clips, logs and resumes in one way.
    """

    better: ClassVar[dict[str, Literal["min", "max"]]]  # metrics that may choose an epoch, and where they are better

    def __init__(self, net: nn.Module, experiment: DictConfig, ema: float):
        super().__init__()
        if not 0 <= ema < 1:
            raise ValueError(f"ema={ema}: the decay of an average is at least 0 and below 1")
        if experiment.optim.clip is not None and not experiment.optim.clip > 0:
            raise ValueError(
                f"optim.clip={experiment.optim.clip}: the norm of a gradient is above 0; null clips nothing"
            )
        self.automatic_optimization = False
        self.net = net
        self.experiment = experiment
        self.batches = 0  # done in this epoch
        self.ema = AveragedModel(net, multi_avg_fn=_exponential_average(ema), use_buffers=True).requires_grad_(False)

    def look_at(self, batches: Iterator[dict[str, Tensor]]) -> None:
        """Sees some training pictures before a fresh start, for what depends on them; nothing does here."""

    def parts(self) -> dict[str, tuple[nn.Module, float]]:
        """The networks that are trained, each with its optimizer, and the ratio of its learning rate to `optim.lr`."""
        return {"generator": (self.net, 1.0)}

    def configure_optimizers(self) -> tuple[list, list]:
        """One optimizer and one schedule for each of `parts`."""
        optim = self.experiment.optim
        optimizers = [make_optimizer(part, optim, ratio) for part, ratio in self.parts().values()]
        direction = self.direction()
        return optimizers, [make_schedule(optimizer, optim, self.progress, direction) for optimizer in optimizers]

    def direction(self) -> Literal["min", "max"]:
        """Where the better values of checkpoint.monitor lie; raises UserError if this system logs no such metric."""
        monitor = self.experiment.checkpoint.monitor
        if monitor not in self.better:
            raise UserError(f"checkpoint.monitor={monitor}: of this system there are {', '.join(self.better)}")
        return self.better[monitor]

    def progress(self) -> float:
        """The share of the run that is done, by epochs or by `trainer.max_time`, whichever ends it sooner."""
        trainer = self._trainer
        if trainer is None or not trainer.training:
            return 0.0
        epochs = trainer.current_epoch + self.batches / trainer.num_training_batches
        timer = next((c for c in trainer.callbacks if isinstance(c, pl.callbacks.Timer)), None)
        time = timer.time_elapsed() / (timer.time_elapsed() + timer.time_remaining()) if timer else 0.0
        return min(1.0, max(epochs / trainer.max_epochs, time))

    def descend(self, name: str, loss: Tensor) -> None:
        """One step of the network `name` down `loss`; logs its gradient's norm and its learning rate."""
        part, _ = self.parts()[name]
        optimizer = self._optimizers()[list(self.parts()).index(name)]
        optimizer.zero_grad()
        self.manual_backward(loss)
        norm = nn.utils.clip_grad_norm_(part.parameters(), self.experiment.optim.clip or float("inf"))
        optimizer.step()
        self.log_train({f"{name}_gradient_norm": norm, f"{name}_lr": optimizer.param_groups[0]["lr"]})

    def log_train(self, values: dict[str, Any]) -> None:
        """Logs `train/*`, by step and as the mean of the epoch."""
        self.log_dict({f"train/{key}": value for key, value in values.items()}, on_step=True, on_epoch=True)

    def log_validation(self, values: dict[str, Tensor]) -> None:
        """Logs the means of `val/*`, each (B,): one value a picture."""
        means = {f"val/{key}": value.mean() for key, value in values.items()}
        self.log_dict(means, batch_size=len(next(iter(values.values()))), sync_dist=True)

    def schedules(self) -> list:
        """The schedule of each of `parts`."""
        schedules = self.lr_schedulers()
        return schedules if isinstance(schedules, list) else [schedules]

    def restart_learning_rates(self) -> None:
        """Lets the experiment's rates win over restored ones."""
        for schedule, (_, ratio) in zip(self.schedules(), self.parts().values(), strict=True):
            restart(schedule, self.experiment.optim.lr * ratio)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seeds dropout, so that a resumed run draws what the unbroken one would have."""
        torch.manual_seed(seed_of(self.experiment.seed, self.current_epoch, batch_idx, self.global_rank))

    def on_train_start(self) -> None:
        """The experiment's settings of the optimizer win over those that a checkpoint restored."""
        for optimizer in self._optimizers():
            override(optimizer, self.experiment.optim)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.batches = batch_idx + 1
        self.ema.update_parameters(self.net)
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
        """A schedule or an optimizer of another kind starts afresh: it cannot continue the stored one."""
        stored, optim = checkpoint["experiment"]["optim"], self.experiment.optim
        if stored["schedule"] != optim.schedule:
            checkpoint["lr_schedulers"] = []
        if stored.get("optimizer", "adam") != optim.optimizer:
            checkpoint["optimizer_states"] = []

    def _optimizers(self) -> list[Optimizer]:
        """Lightning's wrapped optimizers, one for each of `parts`."""
        optimizers = self.optimizers()
        return optimizers if isinstance(optimizers, list) else [optimizers]


def _exponential_average(decay: float) -> Any:
    """Averages with `decay`, at most (1 + n) / (10 + n) after n steps, so that short runs keep up."""

    @torch.no_grad()
    def update(averages: list[Tensor], values: list[Tensor], steps: Tensor) -> None:
        if averages[0].is_floating_point():
            n = float(steps)
            torch._foreach_lerp_(averages, values, 1 - min(decay, (1 + n) / (10 + n)))
        else:  # counters
            torch._foreach_copy_(averages, values)

    return update
