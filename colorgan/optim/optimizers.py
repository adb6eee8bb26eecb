"""The optimizers by their names, as an experiment sets them."""

from typing import Any

import torch
from omegaconf import DictConfig
from torch import nn
from torch.optim import Optimizer

from colorgan.errors import UserError
from colorgan.optim.muon import Muon

OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD, "adadelta": torch.optim.Adadelta, "muon": Muon}


def make_optimizer(part: nn.Module, optim: DictConfig, ratio: float) -> Optimizer:
    """The optimizer that `optim.optimizer` names, of those weights of `part` that are not frozen.

    Args:
        part: a network.
        optim: the `optim` node of an experiment.
        ratio: the network's learning rate as a multiple of `optim.lr`.

    Raises:
        UserError: a value that the optimizer refuses.
    """
    weights = part if optim.optimizer == "muon" else [p for p in part.parameters() if p.requires_grad]
    try:
        return OPTIMIZERS[optim.optimizer](weights, optim.lr * ratio, **_settings(optim))
    except ValueError as error:
        raise UserError(f"optim: {error}") from None


def override(optimizer: Optimizer, optim: DictConfig) -> None:
    """Lets the experiment's settings win over those that a checkpoint restored; the learning rate is the schedule's."""
    for group in optimizer.param_groups:
        group.update(_settings(optim))


def _settings(optim: DictConfig) -> dict[str, Any]:
    betas, momentum = {"betas": tuple(optim.betas)}, {"momentum": optim.momentum}
    own = {"adam": betas, "sgd": momentum, "adadelta": {}, "muon": {**betas, **momentum}}
    return {**own[optim.optimizer], "weight_decay": optim.weight_decay}
