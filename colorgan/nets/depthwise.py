"""Depthwise convolutions on a CPU, which computes them in float32 faster than in bfloat16, and can do better still."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

WIDEST_SMALL_MAP = 4  # pixels; on maps up to it kernels of 3x3 gain by our gradient, larger kernels gain on all


class Float32OnCPU:
    """Mixin of a depthwise convolution that is computed in float32 on a CPU, also under autocast.

    Where it is faster, the gradient of the weights is ours: that of oneDNN takes up to 100 times as long, and for maps
    of 2x2 pixels a fifth of a training step of EfficientNet-Lite0.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu":
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            x = x.to(self.weight.dtype)
            if not _has_own_gradient(self, x):
                return super().forward(x)
            with _frozen(self.weight):
                y = super().forward(x)
            return _WeightGradient.apply(y, x, self.weight, self.stride, self.padding)


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


def _has_own_gradient(conv: nn.Conv2d, x: Tensor) -> bool:
    """Whether the gradient of the weights of a depthwise convolution is computed by `kernels.depthwise_gradient`."""
    return (
        torch.is_grad_enabled()
        and conv.weight.requires_grad
        and not torch.compiler.is_compiling()
        and conv.weight.dtype == torch.float32
        and conv.out_channels == conv.in_channels
        and conv.padding_mode == "zeros"
        and not isinstance(conv.padding, str)
        and conv.dilation == (1, 1)
        and (max(conv.kernel_size) > 3 or x.shape[-1] <= WIDEST_SMALL_MAP)
    )


@contextmanager
def _frozen(weight: nn.Parameter) -> Iterator[None]:
    """Within this context, the weight gets no gradient."""
    weight.requires_grad_(False)
    try:
        yield
    finally:
        weight.requires_grad_(True)


class _WeightGradient(torch.autograd.Function):
    """Identity of the output of a depthwise convolution, through which its weights get their gradient."""

    @staticmethod
    def forward(
        ctx: Any, y: Tensor, x: Tensor, weight: Tensor, strides: tuple[int, int], padding: tuple[int, int]
    ) -> Tensor:
        ctx.save_for_backward(x.detach(), weight)
        # `SameConv`, and those of timm, have no padding: they see to it that all pixels count, the odd one at the end.
        sizes = zip(padding, y.shape[-2:], strides, weight.shape[-2:], x.shape[-2:], strict=True)
        ctx.margins = [
            pad or max((h - 1) * stride + kernel - height, 0) // 2 for pad, h, stride, kernel, height in sizes
        ]
        ctx.strides = strides
        return y.view_as(y)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, Tensor, None, None]:
        from colorgan import kernels  # a slow import

        x, weight = ctx.saved_tensors
        result = weight.new_zeros(*weight.shape[-2:], weight.shape[0])
        arrays = [_channels_last(tensor).numpy() for tensor in (x, gradient)]
        kernels.depthwise_gradient(*arrays, *ctx.strides, *ctx.margins, result.numpy())
        return (
            gradient,
            None,
            result.permute(2, 0, 1)[:, None].contiguous(memory_format=torch.channels_last),
            None,
            None,
        )


def _channels_last(x: Tensor) -> Tensor:
    """Return (B, C, H, W) as contiguous (B, H, W, C)."""
    return x.permute(0, 2, 3, 1).contiguous()
