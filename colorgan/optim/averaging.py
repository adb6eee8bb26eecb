"""The exponential moving average (EMA) of weights."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def make_average(model: nn.Module, decay: float) -> AveragedModel:
    """Return an exponential moving average of the parameters and buffers of a model.

    After n updates the decay is min(decay, (1 + n) / (10 + n)), so that the average of a short run is not dominated by
    the initial weights.

    Args:
        model: copied to a frozen module; call `update_parameters(model)` of it after each step.
        decay: in [0, 1).

    Raises:
        ValueError: `decay` is not in [0, 1).
    """
    if not 0 <= decay < 1:
        raise ValueError(f"ema={decay}: the decay of an average is at least 0 and below 1")
    return AveragedModel(model, multi_avg_fn=_ema_update(decay), use_buffers=True).requires_grad_(False)


def _ema_update(decay: float) -> Callable[[list[Tensor], list[Tensor], Tensor], None]:
    @torch.no_grad()
    def update(averages: list[Tensor], values: list[Tensor], steps: Tensor) -> None:
        if averages[0].is_floating_point():
            n = float(steps)
            torch._foreach_lerp_(averages, values, 1 - min(decay, (1 + n) / (10 + n)))
        else:  # counters, such as num_batches_tracked
            torch._foreach_copy_(averages, values)

    return update
