"""The exponential moving average (EMA) of weights."""

from typing import Any

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
        super().__init__(model)
        self.requires_grad_(False)
        _share_frozen(self.module, model)
        self.decay = decay
        self._updates = 0  # `n_averaged` of the base class as a number, because reading a tensor waits for its device
        self.register_load_state_dict_post_hook(_restore_updates)

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Average the weights and batch statistics of `model`, and copy its other buffers."""
        n = self._updates
        weight = 1 - min(self.decay, (1 + n) / (10 + n)) if n else 1.0
        averaged, copied = _pair_up(self.module, model)
        torch._foreach_lerp_([average for average, _ in averaged], [value for _, value in averaged], weight)
        for copy, value in copied:
            copy.copy_(value)
        self._updates += 1
        self.n_averaged += 1


def _restore_updates(average: ExponentialAverage, _: Any) -> None:
    average._updates = int(average.n_averaged)


def _pair_up(average: nn.Module, model: nn.Module) -> tuple[list[tuple[Tensor, Tensor]], list[tuple[Tensor, Tensor]]]:
    """Return pairs of a tensor of the average and one of the model: those to average, and those to copy."""
    averaged = [pair for pair in zip(average.parameters(), model.parameters(), strict=True) if pair[0] is not pair[1]]
    copied = []
    for own, other in zip(average.modules(), model.modules(), strict=True):
        if own is other:
            continue
        for pair in zip(own.buffers(recurse=False), other.buffers(recurse=False), strict=True):
            is_statistic = isinstance(own, _BatchNorm) and pair[0].is_floating_point()  # not num_batches_tracked
            (averaged if is_statistic else copied).append(pair)
    return averaged, copied


def _share_frozen(average: nn.Module, model: nn.Module) -> None:
    """Replace the copies of frozen modules by the modules themselves."""
    for name, module in model.named_children():
        parameters = list(module.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            setattr(average, name, module)
        else:
            _share_frozen(getattr(average, name), module)
