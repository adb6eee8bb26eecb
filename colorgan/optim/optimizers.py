"""The optimizers, by the names that experiments use."""

from typing import Any

import torch
from omegaconf import DictConfig
from torch import nn
from torch.optim import Optimizer

from colorgan.errors import UserError
from colorgan.optim.muon import Muon

OPTIMIZERS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "adadelta": torch.optim.Adadelta,
    "muon": Muon,
}
FUSED_DEVICES = ("cpu", "cuda", "mps")  # on which torch has Adam and AdamW as one kernel


def make_optimizer(network: nn.Module, optim: DictConfig, ratio: float) -> Optimizer:
    """Create the optimizer named `optim.optimizer`.

    Args:
        network: its parameters that require a gradient are optimized.
        optim: the `optim` node of an experiment.
        ratio: learning rate of the network as a multiple of `optim.lr`.

    Raises:
        UserError: a value of `optim` is out of range, or does not go with the network.
    """
    if optim.optimizer == "muon" and (optim.layer_decay != 1 or not optim.decay_all):
        raise UserError(
            "optim.optimizer=muon has groups of its own: leave optim.layer_decay=1 and optim.decay_all=true"
        )
    params = network if optim.optimizer == "muon" else _parameter_groups(network, optim, ratio)
    try:
        return OPTIMIZERS[optim.optimizer](params, optim.lr * ratio, **_hyperparameters(network, optim))
    except ValueError as error:
        raise UserError(f"optim: {error}") from None


def restore_settings(optimizer: Optimizer, fresh: Optimizer) -> None:
    """Replace the settings that a checkpoint restored by those of a new optimizer, except the learning rate.

    Args:
        optimizer: with the state of a checkpoint, changed in place. The state takes the device and memory layout of the
            weights, which those of an older version may not have.
        fresh: of `make_optimizer`, for the same network.
    """
    for group, new in zip(optimizer.param_groups, fresh.param_groups, strict=True):
        group.update({key: value for key, value in new.items() if key not in ("params", "lr", "initial_lr")})
    for p, state in optimizer.state.items():
        for key, value in state.items():
            if isinstance(value, torch.Tensor) and value.shape == p.shape and value.stride() != p.stride():
                state[key] = torch.empty_like(p).copy_(value)
            elif key == "step" and isinstance(value, torch.Tensor):
                state[key] = value.to(p.device)


def _parameter_groups(network: nn.Module, optim: DictConfig, ratio: float) -> list[dict[str, Any]]:
    """Return the groups of parameters: one, or those of timm for weight decay and layer-wise rates."""
    if optim.layer_decay != 1:
        if not 0 < optim.layer_decay <= 1 or not hasattr(network, "group_matcher"):
            raise UserError(f"optim.layer_decay={optim.layer_decay}: from 0 to 1, for a classifier; others have 1")
        from timm.optim import param_groups_layer_decay

        groups = param_groups_layer_decay(
            network, optim.weight_decay, weight_decay_exclude_1d=not optim.decay_all, layer_decay=optim.layer_decay
        )
        return [{**group, "lr": optim.lr * ratio * group["lr_scale"]} for group in groups]
    if optim.decay_all or not optim.weight_decay:
        return [{"params": [p for p in network.parameters() if p.requires_grad]}]
    from timm.optim import param_groups_weight_decay

    return param_groups_weight_decay(network, optim.weight_decay)


def _hyperparameters(network: nn.Module, optim: DictConfig) -> dict[str, Any]:
    betas, momentum = {"betas": tuple(optim.betas)}, {"momentum": optim.momentum}
    fused = {"fused": next(network.parameters()).device.type in FUSED_DEVICES}
    by_optimizer = {
        "adam": {**betas, **fused},
        "adamw": {**betas, **fused},
        "sgd": momentum,
        "adadelta": {},
        "muon": {**betas, **momentum},
    }
    return {**by_optimizer[optim.optimizer], "weight_decay": optim.weight_decay}
