"""Copies from the CPU to a device for which the program does not wait."""

import torch
from torch import Tensor


def to_device(x: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor of the CPU to a device.

    A plain `x.to(device)` to CUDA waits until all work queued there is done. From pinned memory the copy is queued too.
    """
    if device.type != "cuda":
        return x.to(device)
    return x.pin_memory().to(device, non_blocking=True)
