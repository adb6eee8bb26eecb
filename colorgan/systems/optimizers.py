"""The optimizers of the papers, as an experiment sets them."""

from typing import Any

import torch
from omegaconf import DictConfig
from torch import nn
from torch.optim import Optimizer

from colorgan.errors import UserError

OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD, "adadelta": torch.optim.Adadelta}


def make_optimizer(part: nn.Module, optim: DictConfig, ratio: float) -> Optimizer:
    """The optimizer that `optim.optimizer` names, of those weights of `part` that are not frozen.

    Args:
        part: a network.
        optim: the `optim` node of an experiment.
        ratio: the network's learning rate as a multiple of `optim.lr`.

    Raises:
        UserError: a value that the optimizer refuses.
    """
    weights = [p for p in part.parameters() if p.requires_grad]
    try:
        return OPTIMIZERS[optim.optimizer](weights, optim.lr * ratio, **_settings(optim))
    except ValueError as error:
        raise UserError(f"optim: {error}") from None


def override(optimizer: Optimizer, optim: DictConfig) -> None:
    """Lets the experiment's settings win over those that a checkpoint restored; the learning rate is the schedule's."""
    for group in optimizer.param_groups:
        group.update(_settings(optim))


def _settings(optim: DictConfig) -> dict[str, Any]:
    own = {"adam": {"betas": tuple(optim.betas)}, "sgd": {"momentum": optim.momentum}, "adadelta": {}}
    return {**own[optim.optimizer], "weight_decay": optim.weight_decay}
