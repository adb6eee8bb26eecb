"""Learning-rate schedules that a resumed run, or one with a time limit, continues rightly."""

import math
from collections.abc import Callable
from typing import Literal

from omegaconf import DictConfig
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from colorgan.errors import UserError


def make_schedule(
    optimizer: Optimizer, optim: DictConfig, progress: Callable[[], float], direction: Literal["min", "max"]
) -> LRScheduler:
    """The schedule that `optim.schedule` names; a plateau one is stepped every epoch, the others every batch.

    Args:
        optimizer: with its first learning rate.
        optim: the `optim` node of an experiment.
        progress: the share of the run that is done, in [0, 1].
        direction: where the better values of the metric lie that a plateau schedule watches.

    Raises:
        UserError: a value that makes no schedule.
    """
    if optim.schedule in ("step", "exponential", "plateau") and not 0 < optim.factor < 1:
        raise UserError(f"optim.factor={optim.factor}: a learning rate falls by a factor between 0 and 1")
    if optim.schedule in ("step", "exponential") and optim.every < 1:
        raise UserError(f"optim.every={optim.every}: at least one batch")
    if optim.schedule == "linear" and not 0 < optim.fall <= 1:
        raise UserError(f"optim.fall={optim.fall}: a share of the run above 0, and at most 1")
    if optim.schedule == "plateau":
        return ReduceLROnPlateau(optimizer, mode=direction, factor=optim.factor, patience=optim.patience)
    factors = {
        "constant": lambda batches: 1.0,
        "step": lambda batches: optim.factor ** (batches // optim.every),
        "exponential": lambda batches: optim.factor ** (batches / optim.every),
        "linear": lambda batches: min(1.0, (1 - progress()) / optim.fall),
        "cosine": lambda batches: (1 + math.cos(math.pi * progress())) / 2,
    }
    return LambdaLR(optimizer, factors[optim.schedule])


def restart(schedule: LRScheduler, lr: float) -> None:
    """Lets `lr` win over the rate that a checkpoint restored; the schedule goes on from where it stands."""
    for group in schedule.optimizer.param_groups:
        group["lr"] = group["initial_lr"] = lr
    if isinstance(schedule, LambdaLR):
        schedule.base_lrs = [lr] * len(schedule.base_lrs)
        for group, factor in zip(schedule.optimizer.param_groups, schedule.lr_lambdas, strict=True):
            group["lr"] = lr * factor(schedule.last_epoch)
