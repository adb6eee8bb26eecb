"""The guard: it notices that a training collapses, and keeps a healthy checkpoint to go back to."""

from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Callback

from colorgan.color import split
from colorgan.errors import UserError
from colorgan.metrics import ab_error
from colorgan.metrics.spread import ab_spread
from colorgan.systems.bad_steps import BadSteps
from colorgan.systems.base import System
from colorgan.systems.colorization import Colorization
from colorgan.training.checkpoints import AGREE_EVERY, RollingCheckpoints
from colorgan.training.curves import ROLLBACKS
from colorgan.training.health import ERROR, GRAY_ERROR, SPREADS, Health, Sign
from colorgan.training.run_directory import Place

NUM_PICTURES = 16  # fixed validation pictures whose colors are measured


@dataclass
class Collapse:
    """What is known where a training collapses.

    Args:
        epoch: in which it was noticed.
        sign: of the collapse.
        experiment: of the training, with the number of classes of its data.
        healthy: epochs to go back to, the preferred one first.
        rates: initial learning rate of each group of each optimizer.
        states: of callbacks that going back does not turn back: the best epoch, and the time that is used up.
    """

    epoch: int
    sign: Sign
    experiment: DictConfig
    healthy: list[int]
    rates: list[list[float]]
    states: dict[str, Any]


class Collapsed(Exception):
    """A training has collapsed; raised in all processes.

    Args:
        collapse: what is known.
    """

    def __init__(self, collapse: Collapse):
        super().__init__(collapse.sign.text)
        self.collapse = collapse


def is_guarded(experiment: DictConfig) -> bool:
    """Whether a run goes back to a healthy epoch when it collapses.

    Raises:
        UserError: a setting is out of range.
    """
    guard = experiment.guard
    if not 0 < guard.factor < 1:
        raise UserError(f"guard.factor={guard.factor}: learning rates are lowered by a factor between 0 and 1")
    for key in ("patience", "max_skipped"):
        if guard[key] < 1:
            raise UserError(f"guard.{key}={guard[key]}: at least 1")
    return experiment.system.name == "adversarial" if guard.enabled is None else guard.enabled


class CollapseGuard(Callback):
    """Judges each validated epoch, leaves out bad steps, and ends a training that has collapsed.

    An epoch is known to be healthy when the next validated one looks healthy, too: where weights have begun to go
    wrong, their average does not show it yet.

    Args:
        settings: the `guard` node of the experiment.
        checkpoints: which must not delete the healthy ones.
        monitor: metric of the best epoch.
        mode: whether its smallest or its largest value is best.

    Raises:
        Collapsed: in all processes.
    """

    def __init__(self, settings: Any, checkpoints: RollingCheckpoints, monitor: str, mode: Any):
        self.settings = settings
        self.checkpoints = checkpoints
        self.health = Health(monitor, mode, settings.patience)
        self.suspicious = 0  # validated epochs in a row
        self.healthy: list[int] = []  # at most two epochs, the older one first
        self.skipped = 0  # batches in a row, of the checkpoint
        self.bad_steps: BadSteps | None = None

    def state_dict(self) -> dict[str, Any]:
        health = self.health.state_dict()
        return {"health": health, "suspicious": self.suspicious, "healthy": self.healthy, "skipped": self._count()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.health.load_state_dict(state_dict["health"])
        self.suspicious = state_dict["suspicious"]
        self.healthy = list(state_dict["healthy"])
        self.skipped = state_dict["skipped"]
        self._spare()

    def on_train_start(self, trainer: pl.Trainer, pl_module: System) -> None:
        self.bad_steps = BadSteps([network for network, _ in pl_module.networks().values()])
        self.bad_steps.in_a_row = torch.tensor(self.skipped, device=pl_module.device)
        pl_module.bad_steps = self.bad_steps

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: System, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if (batch_idx + 1) % AGREE_EVERY == 0:  # reading waits for the device
            self._check_skipped(trainer, pl_module)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: System) -> None:
        values = measure(trainer, pl_module) if isinstance(pl_module, Colorization) else {}
        pl_module.log_dict({**values, ROLLBACKS: float(self.settings.rollbacks)})

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: System) -> None:
        self._check_skipped(trainer, pl_module)
        if not pl_module.is_validated_epoch():
            return
        logged = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith(("val/", "guard/"))}
        signs = self.health.judge({**pl_module.train_means(), **logged})
        self.suspicious = self.suspicious + 1 if signs else 0
        if signs and (signs[0].certain or self.suspicious >= self.settings.patience):
            self._collapse(trainer, pl_module, signs[0])
        if not signs:
            self.healthy = [*self.healthy[-1:], trainer.current_epoch]
            self._spare()

    def _count(self) -> int:
        return int(self.bad_steps.in_a_row) if self.bad_steps else self.skipped

    def _check_skipped(self, trainer: pl.Trainer, pl_module: System) -> None:
        if (count := self._count()) >= self.settings.max_skipped:
            text = f"{count} batches in a row have losses or gradients that are not finite"
            self._collapse(trainer, pl_module, Sign(text, "lower optim.lr, or set optim.clip=1"))

    def _collapse(self, trainer: pl.Trainer, pl_module: System, sign: Sign) -> None:
        rates = [[group.get("initial_lr", group["lr"]) for group in o.param_groups] for o in trainer.optimizers]
        kept = [c for c in trainer.callbacks if isinstance(c, RollingCheckpoints | pl.callbacks.Timer)]
        states = {callback.state_key: callback.state_dict() for callback in kept}
        experiment = pl_module.experiment
        raise Collapsed(Collapse(trainer.current_epoch, sign, experiment, self.healthy, rates, states))

    def _spare(self) -> None:
        self.checkpoints.spared = {Place(epoch) for epoch in self.healthy}


def measure(trainer: pl.Trainer, system: Colorization) -> dict[str, float]:
    """Measure the colors of fixed validation pictures, by the trained weights, not their average, which lags behind.

    Returns:
        the ab error, that of plain gray, and the spread of colors as a share of the truth's; the same in all processes.
    """
    rgb = trainer.datamodule.sample_val_batch(NUM_PICTURES)["rgb"].to(system.device)
    L, true = split(rgb)
    ab = system.model(L)
    errors = [ab_error(ab, true).mean(), ab_error(torch.zeros_like(true), true).mean()]
    spreads = [spread / truth for spread, truth in zip(ab_spread(ab), ab_spread(true), strict=True)]
    values = dict(zip((ERROR, GRAY_ERROR, *SPREADS), torch.stack([*errors, *spreads]).tolist(), strict=True))
    truths = dict(zip(SPREADS, torch.stack(list(ab_spread(true))).tolist(), strict=True))
    # A single picture, or true ones without color, have no spread to compare with.
    return trainer.strategy.broadcast({key: value for key, value in values.items() if truths.get(key, 1.0) > 0})
