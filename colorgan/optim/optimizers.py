"""The optimizers, by the names that experiments use."""

from collections.abc import Mapping
from typing import Any

import torch
from omegaconf import DictConfig
from torch import nn
from torch.optim import Optimizer

from colorgan.errors import UserError
from colorgan.optim.muon import Muon, muon_groups

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
    if optim.encoder_lr < 0:
        raise UserError(f"optim.encoder_lr={optim.encoder_lr}: a multiple of optim.lr, 0 or above")
    groups = muon_groups(network) if optim.optimizer == "muon" else _parameter_groups(network, optim)
    if has_own_body_rate(optim):
        groups = _split_off_body(groups, network, optim)
    for group in groups:
        group["lr"] = optim.lr * ratio * group.get("lr_scale", 1.0)
    try:
        return OPTIMIZERS[optim.optimizer](groups, optim.lr * ratio, **_hyperparameters(network, optim))
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


def has_own_body_rate(optim: Mapping[str, Any]) -> bool:
    """Whether the body of a net has groups of its own, by the `optim` node of an experiment of any version."""
    return optim.get("encoder_lr", 1.0) != 1 or bool(optim.get("encoder_warmup", 0))


def _parameter_groups(network: nn.Module, optim: DictConfig) -> list[dict[str, Any]]:
    """Return the groups of parameters: one, or those of timm for weight decay and layer-wise rates."""
    if optim.layer_decay != 1:
        if not 0 < optim.layer_decay <= 1 or not hasattr(network, "group_matcher"):
            raise UserError(f"optim.layer_decay={optim.layer_decay}: from 0 to 1, for a classifier; others have 1")
        from timm.optim import param_groups_layer_decay

        return param_groups_layer_decay(
            network, optim.weight_decay, weight_decay_exclude_1d=not optim.decay_all, layer_decay=optim.layer_decay
        )
    if optim.decay_all or not optim.weight_decay:
        return [{"params": [p for p in network.parameters() if p.requires_grad]}]
    from timm.optim import param_groups_weight_decay

    return param_groups_weight_decay(network, optim.weight_decay)


def _split_off_body(groups: list[dict[str, Any]], network: nn.Module, optim: DictConfig) -> list[dict[str, Any]]:
    """Return groups without the parameters of the body of a net, and then groups of these, with a rate of their own."""
    body = {id(p) for p in network.body.parameters()} if hasattr(network, "body") else set()
    split = {inside: [] for inside in (False, True)}
    for group in groups:
        for inside, members in split.items():
            params = [p for p in group["params"] if (id(p) in body) == inside]
            members.append({**group, "params": params, "is_body": inside})
    own = {"lr_scale": optim.encoder_lr}
    return [group for group in [*split[False], *({**group, **own} for group in split[True])] if group["params"]]


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
