"""CUDA without a GPU, where it matters that the host never waits for it."""

from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten


class _RefuseCopies(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket in (aten._to_copy, aten.copy_) and not (kwargs or {}).get("non_blocking"):
            devices = {x.device.type for x in tree_leaves((args, out)) if isinstance(x, Tensor)}
            assert len(devices) == 1, "a copy that the host waits for"
        return out


@contextmanager
def fake_cuda(*modules: nn.Module):
    """Tensors of `device="cuda"` have no values here: what needs them raises, as does a copy that blocks.

    Args:
        modules: moved to the device before.
    """
    with FakeTensorMode(allow_non_fake_inputs=True):
        for module in modules:
            module.to("cuda")
        with _RefuseCopies():
            yield
