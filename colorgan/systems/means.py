"""Means of what a training logs, over a batch and over an epoch."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class TrainingMeans:
    """Means of values over the parts and steps of a batch, and over the batches of an epoch.

    Attributes:
        batches: of this epoch so far.
        sums: of the means of these batches by name; numbers, or scalar tensors.
    """

    def __init__(self) -> None:
        self._step_sums: dict[str, Any] = defaultdict(float)
        self._step_shares: dict[str, float] = defaultdict(float)
        self.start_epoch()

    def start_epoch(self, batches: int = 0, sums: dict[str, Any] | None = None) -> None:
        """Begin an epoch, or go on with a half-done one."""
        self.batches = batches
        self.sums = defaultdict(float, sums or {})

    def add(self, values: dict[str, Any], share: float) -> None:
        """Add values of a part of a batch, which is a share of it."""
        for key, value in values.items():
            self._step_sums[key] += share * value
            self._step_shares[key] += share

    def of_batch(self) -> dict[str, Any]:
        """Return the means over this batch so far."""
        return {key: value / self._step_shares[key] for key, value in self._step_sums.items()}

    def end_batch(self) -> dict[str, Any]:
        """End a batch, and return its means."""
        means = self.of_batch()
        for key, value in means.items():
            self.sums[key] += value
        self.batches += 1
        self._step_sums.clear()
        self._step_shares.clear()
        return means

    def of_epoch(self, reduce: Callable[[Tensor], Tensor], device: torch.device) -> dict[str, float]:
        """Return the means over this epoch, which `reduce` averages over the processes."""
        if not self.sums:
            return {}
        sums = torch.stack([torch.as_tensor(value, device=device) for value in self.sums.values()])
        return dict(zip(self.sums, reduce(sums / self.batches).tolist(), strict=True))
