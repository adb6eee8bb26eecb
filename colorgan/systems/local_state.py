"""What each process has for itself in the middle of an epoch: batch statistics and sums of what it logs."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def batch_statistics(module: nn.Module) -> dict[str, Tensor]:
    """Return the running means and variances of a module by their names in its `state_dict`."""
    return {
        f"{name}.{key}": getattr(norm, key)
        for name, norm in module.named_modules()
        if isinstance(norm, _BatchNorm) and norm.track_running_stats
        for key in ("running_mean", "running_var")
    }


def gather(statistics: dict[str, Tensor], sums: dict[str, Any], processes: int) -> list[dict[str, Any]]:
    """Gather the state of each process, for a checkpoint; to be called by all of them.

    Args:
        statistics: the batch statistics of this one.
        sums: of its epoch, numbers or scalar tensors.
        processes: how many there are. A single one needs no statistics, which are in its `state_dict`.

    Returns:
        the state of each process, by rank, on the CPU.
    """
    state = {"sums": _on(sums, "cpu"), "statistics": {} if processes == 1 else _on(statistics, "cpu")}
    states = [state] * processes
    if processes > 1:
        torch.distributed.all_gather_object(states, state)
    return states


def restore(states: list[dict[str, Any]], rank: int, statistics: dict[str, Tensor]) -> None:
    """Give a process its batch statistics back; wrapping a network for several processes gives all those of the first.

    Args:
        states: what `gather` returned.
        rank: of the process.
        statistics: its batch statistics, which are overwritten.
    """
    for name, value in states[rank]["statistics"].items():
        statistics[name].copy_(value)


def sums_of(states: list[dict[str, Any]], rank: int, device: torch.device) -> dict[str, Any]:
    """Return the sums of the epoch of a process on its device."""
    return _on(states[rank]["sums"], device)


def _on(values: dict[str, Any], device: str | torch.device) -> dict[str, Any]:
    return {k: v.detach().to(device) if isinstance(v, Tensor) else v for k, v in values.items()}
