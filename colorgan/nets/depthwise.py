"""Depthwise convolutions, which CPUs compute faster in float32 than in bfloat16."""

from functools import cache

import torch
from torch import Tensor, nn


class Float32OnCPU:
    """Mixin of a module that is computed in float32 on a CPU, also under autocast."""

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu":
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.to(self.weight.dtype))


def use_float32_depthwise(module: nn.Module) -> nn.Module:
    """Make all depthwise convolutions of a module compute in float32 on a CPU, in place; return the module.

    Their backward pass in bfloat16 takes 8 times as long for a stride of 2, and 3 times for kernels of 5x5 (AMD EPYC
    with AVX512_BF16, one core, torch 2.14).
    """
    for conv in module.modules():
        if isinstance(conv, nn.Conv2d) and 1 < conv.groups == conv.in_channels:
            conv.__class__ = _in_float32(type(conv))
    return module


@cache
def _in_float32(kind: type[nn.Conv2d]) -> type[nn.Conv2d]:
    return kind if issubclass(kind, Float32OnCPU) else type(kind.__name__, (Float32OnCPU, kind), {})
