"""The optimizers, by the names that experiments use."""

from typing import Any

import torch
from omegaconf import DictConfig
from torch import nn
from torch.optim import Optimizer

from colorgan.errors import UserError
from colorgan.optim.muon import Muon

OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD, "adadelta": torch.optim.Adadelta, "muon": Muon}


def make_optimizer(network: nn.Module, optim: DictConfig, ratio: float) -> Optimizer:
    """Create the optimizer named `optim.optimizer`.

    Args:
        network: its parameters that require a gradient are optimized.
        optim: the `optim` node of an experiment.
        ratio: learning rate of the network as a multiple of `optim.lr`.

    Raises:
        UserError: a value of `optim` is out of range.
    """
    params = network if optim.optimizer == "muon" else [p for p in network.parameters() if p.requires_grad]
    try:
        return OPTIMIZERS[optim.optimizer](params, optim.lr * ratio, **_hyperparameters(optim))
    except ValueError as error:
        raise UserError(f"optim: {error}") from None


def set_hyperparameters(optimizer: Optimizer, optim: DictConfig) -> None:
    """Replace the hyperparameters that a checkpoint restored by those of `optim`, except the learning rate.

    Args:
        optimizer: of `make_optimizer`, changed in place.
        optim: the `optim` node of an experiment.
    """
    for group in optimizer.param_groups:
        group.update(_hyperparameters(optim))


def _hyperparameters(optim: DictConfig) -> dict[str, Any]:
    betas, momentum = {"betas": tuple(optim.betas)}, {"momentum": optim.momentum}
    by_optimizer = {"adam": betas, "sgd": momentum, "adadelta": {}, "muon": {**betas, **momentum}}
    return {**by_optimizer[optim.optimizer], "weight_decay": optim.weight_decay}
