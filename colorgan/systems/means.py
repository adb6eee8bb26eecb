"""Means of what a training logs, over a batch and over an epoch."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

SKIPPED = "train/skipped_batches"


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

    def end_batch(self, bad: Tensor | None = None) -> dict[str, Any]:
        """End a batch, and return its means.

        Args:
            bad: whether it is left out of the means of the epoch, a bool tensor; None where no batch is.
        """
        means = self.of_batch()
        for key, value in means.items():
            self.sums[key] += value if bad is None else _unless(bad, value)
        if bad is not None:
            self.sums[SKIPPED] += bad
        self.batches += 1
        self._step_sums.clear()
        self._step_shares.clear()
        return means

    def of_epoch(self, reduce: Callable[[Tensor], Tensor], device: torch.device) -> dict[str, float]:
        """Return the means over this epoch, which `reduce` averages over the processes.

        `SKIPPED`, which is there where batches may be left out, is a number of batches.
        """
        if not self.sums:
            return {}
        sums = torch.stack([torch.as_tensor(value, device=device, dtype=torch.float32) for value in self.sums.values()])
        means = sums / (self.batches - self.sums.get(SKIPPED, 0))
        found = dict(zip(self.sums, reduce(means).tolist(), strict=True))
        return found | ({SKIPPED: float(self.sums[SKIPPED])} if SKIPPED in self.sums else {})


def _unless(bad: Tensor, value: Any) -> Any:
    """Return a number or a scalar tensor, and 0 where it is bad."""
    return value.masked_fill(bad, 0) if isinstance(value, Tensor) else value * ~bad
