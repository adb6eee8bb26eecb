"""The exponential moving average (EMA) of weights."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel


class ExponentialAverage(AveragedModel):
    """Exponential moving average of the weights and batch statistics of a model.

    After n updates the decay is min(decay, (1 + n) / (10 + n)), so that the average of a short run is not dominated by
    the initial weights. Other buffers are copied: the average of the vectors that spectral norm iterates on, for
    example, is no singular vector. Modules whose weights are all frozen are shared with the model, so that a checkpoint
    stores them once.

    Args:
        model: copied to the frozen submodule `module`; call `update_parameters(model)` after each step.
        decay: in [0, 1).

    Raises:
        ValueError: `decay` is out of range.
    """

    def __init__(self, model: nn.Module, decay: float):
        if not 0 <= decay < 1:
            raise ValueError(f"ema={decay}: the decay of an average is at least 0 and below 1")
        super().__init__(model, multi_avg_fn=_ema_update(decay), use_buffers=True)
        self.requires_grad_(False)
        _share_frozen(self.module, model)

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Average the weights and batch statistics of `model`, and copy its other buffers."""
        super().update_parameters(model)
        for average, module in zip(self.module.modules(), model.modules(), strict=True):
            if not isinstance(module, _BatchNorm):
                for copy, value in zip(average.buffers(recurse=False), module.buffers(recurse=False), strict=True):
                    copy.copy_(value)


def _ema_update(decay: float) -> Callable[[list[Tensor], list[Tensor], Tensor], None]:
    @torch.no_grad()
    def update(averages: list[Tensor], values: list[Tensor], steps: Tensor) -> None:
        if averages[0].is_floating_point():
            n = float(steps)
            torch._foreach_lerp_(averages, values, 1 - min(decay, (1 + n) / (10 + n)))
        else:  # counters, such as num_batches_tracked
            torch._foreach_copy_(averages, values)

    return update


def _share_frozen(average: nn.Module, model: nn.Module) -> None:
    """Replace the copies of frozen modules by the modules themselves."""
    for name, module in model.named_children():
        parameters = list(module.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            setattr(average, name, module)
        else:
            _share_frozen(getattr(average, name), module)
