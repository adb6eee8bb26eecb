"""Check that all processes of a run have the same data, weights and learning rates."""

from collections.abc import Iterable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from colorgan.data.source import digest
from colorgan.errors import UserError


class CompareData(Callback):
    """Stops a run, before it starts, whose processes find different photographs.

    The processes share the photographs by their indices, and wait for each other forever if their epochs have other
    lengths. The folder may have another path on each node.

    Raises:
        UserError: in all processes.
    """

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.world_size == 1:
            return
        sources = [trainer.datamodule.source(train) for train in (True, False)]
        found = "".join(map(digest, sources))
        if not trainer.strategy.reduce_boolean_decision(found == trainer.strategy.broadcast(found), all=True):
            counts = " to train on and ".join(str(len(source)) for source in sources)
            raise UserError(
                f"data.root={trainer.datamodule.data.root}: the processes do not find the same photographs, this one "
                f"{counts} to validate on: give all nodes the same files"
            )


class CompareRanks(Callback):
    """Compares the weights, their averages and the learning rates of all processes, and stops where they differ.

    Nothing brings processes together again once they differ, and each of them goes on with a gradient that fits no
    weights. A check reads every weight once and gathers eight bytes of each tensor.

    Args:
        every: number of batches between two checks.

    Raises:
        UserError: in all processes, with the first tensor that differs.
    """

    def __init__(self, every: int):
        self.every = every

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.world_size == 1 or (batch_idx + 1) % self.every:
            return
        values = dict(pl_module.named_parameters())
        for i, optimizer in enumerate(trainer.optimizers):
            for j, group in enumerate(optimizer.param_groups):
                values[f"learning rate {j} of optimizer {i}"] = torch.tensor(group["lr"], device=pl_module.device)
        hashes = pl_module.all_gather(hash_tensors(values.values()))  # (processes, tensors)
        same = (hashes == hashes[0]).all(dim=0)
        if not same.all():
            name = list(values)[int(same.int().argmin())]
            raise UserError(
                f"epoch {trainer.current_epoch}, batch {batch_idx}: the processes have come apart, first in {name}. "
                "Go back to a checkpoint with --from CKPT, and report this: it is a defect of colorgan or the machine"
            )


def hash_tensors(tensors: Iterable[Tensor]) -> Tensor:
    """Return a 64-bit hash of the values of each tensor, int64 (tensors,)."""
    return torch.stack([torch.hash_tensor(tensor.detach()).view(torch.int64) for tensor in tensors])
