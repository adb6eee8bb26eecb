"""The exponential moving average (EMA) of weights."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def make_average(model: nn.Module, decay: float) -> AveragedModel:
    """Return a frozen copy of `model` whose `update_parameters` averages parameters and buffers.

    After n updates the decay is at most (1 + n) / (10 + n), so that the average of a short run keeps up.

    Raises:
        ValueError: `decay` is not in [0, 1).
    """
    if not 0 <= decay < 1:
        raise ValueError(f"ema={decay}: the decay of an average is at least 0 and below 1")
    return AveragedModel(model, multi_avg_fn=_exponential(decay), use_buffers=True).requires_grad_(False)


def _exponential(decay: float) -> Callable[[list[Tensor], list[Tensor], Tensor], None]:
    @torch.no_grad()
    def update(averages: list[Tensor], values: list[Tensor], steps: Tensor) -> None:
        if averages[0].is_floating_point():
            n = float(steps)
            torch._foreach_lerp_(averages, values, 1 - min(decay, (1 + n) / (10 + n)))
        else:  # counters
            torch._foreach_copy_(averages, values)

    return update
