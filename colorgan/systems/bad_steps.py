"""Steps whose loss or gradient is not finite, which a guarded run leaves out."""

from collections.abc import Iterable

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn


class BadSteps:
    """Leaves out bad optimizer steps, as torch's GradScaler does, and undoes what their batch did to the networks.

    Fused optimizers (Adam and AdamW) leave a step out on the device, so that the host waits for nothing. Others let it
    wait for the norm of each gradient.

    Between processes the gradients are averaged, and their norm is the same for all, so that all leave out the same
    steps.

    Args:
        networks: the networks that are trained, on their device.

    Attributes:
        in_a_row: number of batches with a bad step in a row until now, an integer tensor on the device.
    """

    def __init__(self, networks: Iterable[nn.Module]):
        found = {id(buffer): buffer for network in networks for buffer in network.buffers()}
        self._buffers = [buffer for buffer in found.values() if buffer.dtype == torch.float32]
        self._good = torch.empty(0)  # batch statistics and the like, before this batch
        self._flags: list[Tensor] = []  # whether each step of this batch was bad
        self.in_a_row: Tensor | int = 0

    @torch.no_grad()
    def start_batch(self) -> None:
        """Remember the batch statistics and other buffers."""
        self._good = _flatten(self._buffers)

    @staticmethod
    def mark(loss: Tensor) -> Tensor:
        """Return the loss; where it is not finite, its gradients will not be either.

        An infinite loss may have finite gradients. Everywhere else this changes not a bit.
        """
        return loss * (loss.detach() * 0 + 1)

    def step(self, optimizer: LightningOptimizer, norm: Tensor) -> bool:
        """Take a step unless the norm of its gradient is not finite.

        Returns:
            False if the host knows that the step was left out.
        """
        bad = ~norm.isfinite()
        self._flags.append(bad)
        if optimizer.param_groups[0].get("fused"):
            optimizer.optimizer.found_inf = bad.float()  # torch's name; the kernel does nothing where it is 1
        elif bad:
            return False
        optimizer.step()
        return True

    @torch.no_grad()
    def end_batch(self) -> Tensor:
        """End a batch; return whether a step of it was bad, a bool tensor on the device.

        Such a batch leaves no trace in buffers: one infinite pixel would make batch statistics infinite for good.
        """
        bad = torch.stack(self._flags).any()
        self._flags.clear()
        if self._buffers:
            restored = torch.where(bad, self._good, _flatten(self._buffers))
            parts = restored.split([buffer.numel() for buffer in self._buffers])
            torch._foreach_copy_(self._buffers, [part.view_as(b) for part, b in zip(parts, self._buffers, strict=True)])
        self.in_a_row = (self.in_a_row + 1) * bad
        return bad


def _flatten(tensors: list[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors]) if tensors else torch.empty(0)
