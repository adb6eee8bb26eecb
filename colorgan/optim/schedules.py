"""Learning-rate schedules, which also work for resumed runs and runs with a time limit."""

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
    """Create the schedule named `optim.schedule`.

    The caller steps "plateau" with the monitored metric after each epoch, and all others after each batch.

    Args:
        optimizer: at its initial learning rate.
        optim: the `optim` node of an experiment.
        progress: returns the fraction of the run that is done, in [0, 1].
        direction: "min" if lower values of the monitored metric are better, "max" if higher ones are.

    Raises:
        UserError: a value of `optim` is out of range.
    """
    if optim.schedule in ("step", "exponential", "plateau") and not 0 < optim.factor < 1:
        raise UserError(f"optim.factor={optim.factor}: a learning rate falls by a factor between 0 and 1")
    if optim.schedule in ("step", "exponential") and optim.every < 1:
        raise UserError(f"optim.every={optim.every}: at least one batch")
    if optim.schedule == "linear" and not 0 < optim.fall <= 1:
        raise UserError(f"optim.fall={optim.fall}: a share of the run above 0, and at most 1")
    if optim.warmup < 0 or (optim.warmup and optim.schedule == "plateau"):
        raise UserError(f"optim.warmup={optim.warmup}: 0 or more batches, and 0 for optim.schedule=plateau")
    if optim.encoder_warmup < 0 or (optim.encoder_warmup and optim.schedule == "plateau"):
        raise UserError(
            f"optim.encoder_warmup={optim.encoder_warmup}: 0 or more batches, and 0 for optim.schedule=plateau"
        )
    if optim.schedule == "plateau":
        return ReduceLROnPlateau(optimizer, mode=direction, factor=optim.factor, patience=optim.patience)
    factors = {
        "constant": lambda batches: 1.0,
        "step": lambda batches: optim.factor ** (batches // optim.every),
        "exponential": lambda batches: optim.factor ** (batches / optim.every),
        "linear": lambda batches: min(1.0, (1 - progress()) / optim.fall),
        "cosine": lambda batches: (1 + math.cos(math.pi * progress())) / 2,
    }
    factor = factors[optim.schedule]

    def net_factor(batches: int) -> float:
        return min(1.0, (batches + 1) / (optim.warmup + 1)) * factor(batches)

    def body_factor(batches: int) -> float:
        return net_factor(batches) if batches >= optim.encoder_warmup else 0.0

    groups = optimizer.param_groups
    return LambdaLR(optimizer, [body_factor if group.get("is_body") else net_factor for group in groups])


def set_initial_lr(schedule: LRScheduler, lr: float) -> None:
    """Replace the initial learning rate that a checkpoint restored; the schedule continues from its current step.

    Args:
        schedule: of `make_schedule`; it and its optimizer are changed in place.
        lr: the new initial learning rate.
    """
    groups = schedule.optimizer.param_groups
    for group in groups:
        group["lr"] = group["initial_lr"] = lr * group.get("lr_scale", 1.0)  # of layer-wise rates
    if isinstance(schedule, LambdaLR):
        schedule.base_lrs = [group["initial_lr"] for group in groups]
        for group, factor in zip(groups, schedule.lr_lambdas, strict=True):
            group["lr"] = group["initial_lr"] * factor(schedule.last_epoch)
