"""Processes of a run that torchrun or SLURM started: leave them, or agree with them before the Trainer can."""

import os
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from colorgan.errors import UserError

# Variables by which torchrun, SLURM and others tell a process that it is one of several.
LAUNCHERS = re.compile(r"(SLURM|TORCHELASTIC|JSM|PMI|OMPI)_.*|(|LOCAL_|NODE_|GROUP_)RANK|(|LOCAL_)WORLD_SIZE|MASTER_.*")
PATIENCE = timedelta(hours=2)  # of the processes that wait for the first


def environment_of_one() -> dict[str, str]:
    """Return the environment for a process that is to be no part of this run."""
    return {key: value for key, value in os.environ.items() if not LAUNCHERS.fullmatch(key)}


def from_first_process(compute: Callable[[], Any]) -> Any:
    """Return in all processes that torchrun or SLURM started what one call in the first of them returns.

    Raises:
        UserError: in all processes, if `compute` raises it.
    """
    from lightning_fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment

    found = next((kind() for kind in (TorchElasticEnvironment, SLURMEnvironment) if kind.detect()), None)
    if found is None or found.world_size() == 1:
        return compute()
    from torch import distributed

    rank = found.global_rank()
    address = f"tcp://{found.main_address}:{found.main_port}"
    if isinstance(found, TorchElasticEnvironment):
        address = "env://"  # whose store torchrun may already hold
    distributed.init_process_group("gloo", address, rank=rank, world_size=found.world_size(), timeout=PATIENCE)
    try:
        result: list[Any] = [None]
        if rank == 0:
            try:
                result = [compute()]
            except UserError as error:
                result = [error]
        distributed.broadcast_object_list(result)
    finally:
        distributed.destroy_process_group()
    if isinstance(result[0], UserError):
        raise result[0]
    return result[0]
