"""Training in several processes: each network's gradients are averaged in the backward pass of its own loss."""

import torch
from pytorch_lightning.strategies import DDPStrategy
from torch.nn.parallel import DistributedDataParallel


class NetworkDDP(DDPStrategy):
    """DDP with one wrapper for each network of a `System`, in place of one around everything.

    With one wrapper, every backward pass of a GAN reduces the gradients of both networks, and has to search for the
    parameters that the loss did not use.
    """

    def configure_ddp(self) -> None:
        """Wrap the networks, and start all processes from the weights and buffers of the first."""
        for value in self.model.state_dict().values():
            torch.distributed.broadcast(value, src=0)
        self.lightning_module.replicate(self._setup_model)

    def _setup_model(self, model: torch.nn.Module) -> DistributedDataParallel:
        # Batch statistics that arrive from the first process between two forward passes would be changed in place
        # under the backward pass of the first; the System averages them before each validation.
        self._ddp_kwargs = {"broadcast_buffers": False, "gradient_as_bucket_view": True, "init_sync": False}
        return super()._setup_model(model)
