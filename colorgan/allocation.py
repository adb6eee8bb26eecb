"""A limit for the memory of what a stranger describes, such as a net with a billion channels."""

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

_NUMBER = 4  # bytes
_CALLS = 10**6  # of torch, within one limit: a net with a billion of layers never ends
_RANGES = ("arange", "range", "linspace", "logspace", "eye")


class TooLarge(Exception):
    """More memory was asked for than is allowed."""


class AllocationLimit(TorchFunctionMode):
    """Within this context, raises TooLarge before torch makes tensors of more than `most` bytes together.

    Only those that are made out of nothing count, as the weights of layers are: `torch.empty`, `torch.zeros`, ...

    Args:
        most: bytes, counted as if they were never freed.
    """

    def __init__(self, most: int):
        super().__init__()
        self.left = most
        self.calls = 0

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        self.calls += 1
        if not any(isinstance(value, Tensor) for value in (*args, *kwargs.values())):
            self.left -= _NUMBER * _count(func.__name__, (*args, kwargs.get("size")))
        if self.left < 0 or self.calls > _CALLS:
            raise TooLarge
        return func(*args, **kwargs)


def _count(name: str, args: tuple) -> int:
    """Return how many numbers the tensor has that a function of torch makes of these arguments."""
    shape = next((value for value in args if isinstance(value, list | tuple)), None)
    sides = [int(value) for value in (args if shape is None else shape) if isinstance(value, int | float)]
    if name in _RANGES:
        return max(map(abs, sides), default=0) ** (2 if name == "eye" else 1)
    return math.prod(max(0, side) for side in sides) if sides else 0
