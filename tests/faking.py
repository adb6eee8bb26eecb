"""CUDA without a GPU: tensors that have shape, type and device but no values, and a record of where the host waits.

Tensors of the CPU stay real, so that random draws and files behave as always. What a program reads from the device is
made up: a number is 1, a tensor is all zeros, and a mask chooses everything.
"""

import sys
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import torch
from kornia.enhance import jpeg
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from colorgan import config
from colorgan.data.module import PhotographDataModule
from colorgan.data.photos import SkimagePhotos
from colorgan.systems import TABLES
from colorgan.systems.building import build
from tests.conftest import TINY, tiny

ROOT = Path(__file__).parent.parent
# CUDA takes up to 64 KiB of pageable memory along with the call. The pictures of the tests are so small that the limit
# is lowered to tell what has one value a picture, which never grows beyond it, from what has one a pixel.
MAX_PAGEABLE = 256  # bytes
aten = torch.ops.aten
SIZED_BY_VALUES = {  # the host reads the size of the result, or whether there is an error, from the device
    aten.nonzero,
    aten.masked_select,
    aten.bincount,
    aten.repeat_interleave,
    aten._unique2,
    aten.unique_dim,
    aten.unique_consecutive,
    aten.equal,
    aten._linalg_check_errors,
}


@contextmanager
def fake_cuda():
    """Make `device="cuda"` work without a GPU; a tensor of the CPU among those of the device raises.

    Yields:
        a list of where the host waits for the device, "file:line operation" each.
    """
    watch = _Watch()
    stream = SimpleNamespace(synchronize=lambda: watch.record("synchronize"))
    with ExitStack() as stack:
        stack.enter_context(mock.patch("torch.cuda.is_available", lambda: False))  # leave a real GPU alone
        stack.enter_context(mock.patch("torch.cuda.current_stream", lambda device=None: stream))
        for cache in (jpeg._DCT8_CACHE, jpeg._DEFAULT_QT_CACHE):  # outlive the test, and must keep nothing fake
            stack.enter_context(mock.patch.dict(cache, clear=True))
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        stack.enter_context(watch)
        yield watch.waits


class _Watch(TorchDispatchMode):
    """Runs what touches no device for real, and records the waits of all else."""

    def __init__(self):
        super().__init__()
        self.waits = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.ops.prim.device.default:
            return args[0].fake_device
        if torch.is_inference_mode_enabled() and func._can_decompose():
            with self:  # outside of inference mode, autograd has done this before
                return func.decompose(*args, **kwargs)
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        target = torch.device(kwargs.get("device") or "cpu").type
        if target == "cpu" and not any(x.is_cuda for x in tensors):
            return self._run_on_cpu(func, args, kwargs)
        op = func.overloadpacket
        if _waits(op, args, kwargs):
            self.record(op.__name__)
        if op is aten._local_scalar_dense:
            return True if args[0].dtype == torch.bool else 1.0 if args[0].is_floating_point() else 1
        if op is aten.nonzero:
            return args[0].new_empty(args[0].numel(), args[0].ndim, dtype=torch.int64)
        if op is aten.index:
            args = (args[0], _without_masks(args[1]))
        if op is aten._to_copy and kwargs.get("device") and target == "cpu":
            with unset_fake_temporarily():
                return torch.zeros(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
        return func(*args, **kwargs)

    def _run_on_cpu(self, func, args, kwargs):
        if func is aten.is_pinned.default:
            return hasattr(args[0], "is_fake_pinned")
        with unset_fake_temporarily():
            if func is aten._pin_memory.default:
                pinned = args[0].clone()
                pinned.is_fake_pinned = True
                return pinned
            return func(*args, **kwargs)

    def record(self, name):
        """Add the innermost line of the package that is being run."""
        frame = sys._getframe(1)
        while frame and not frame.f_code.co_filename.startswith(str(ROOT / "colorgan")):
            frame = frame.f_back
        place = f"{Path(frame.f_code.co_filename).relative_to(ROOT)}:{frame.f_lineno}" if frame else "elsewhere"
        self.waits.append(f"{place} {name}")


def _waits(op, args, kwargs):
    """Whether the host waits in an operation that touches the device.

    It does where it reads from the device, and where it copies memory to the device other than by `non_blocking` from
    pinned memory, or from so little pageable memory that CUDA takes it along.
    """
    if op is aten.repeat_interleave and kwargs.get("output_size") is not None:
        return False
    if op in SIZED_BY_VALUES or op is aten._local_scalar_dense:
        return True
    if op is aten.index:
        return any(x is not None and (x.dtype in (torch.bool, torch.uint8) or not x.is_cuda) for x in args[1])
    if op in (aten.index_put, aten.index_put_, aten._index_put_impl_):
        has_mask = any(x is not None and x.dtype in (torch.bool, torch.uint8) for x in args[1])
        return (has_mask and args[2].numel() > 1) or any(x is not None and not x.is_cuda for x in args[1])
    if op is aten._to_copy:
        source, target = args[0], torch.device(kwargs.get("device") or args[0].device)
        non_blocking = kwargs.get("non_blocking")
    elif op in (aten.copy_, aten.copy):
        source, target = args[1], args[0].device
        non_blocking = args[2] if len(args) > 2 else kwargs.get("non_blocking")
    else:
        return False
    if source.is_cuda:
        return target.type != "cuda"
    is_small = source.nbytes <= MAX_PAGEABLE
    return not (non_blocking and (is_small or hasattr(source, "is_fake_pinned")))


def _without_masks(indices):
    """Replace each boolean index by those of all its elements."""
    replaced = []
    for index in indices:
        if index is not None and index.dtype in (torch.bool, torch.uint8):
            replaced += [index.new_zeros(index.numel(), dtype=torch.int64)] * index.ndim
        else:
            replaced.append(index)
    return replaced


@torch.no_grad()
def backward(loss):
    """Add the gradients of a scalar to `grad` of the leaves.

    Autograd's engine asks for the streams of the device, which is not there, so the nodes of its graph are called one
    by one.
    """
    order, seen, stack = [], set(), [(loss.grad_fn, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(following, False) for following, _ in node.next_functions if following]
    gradients = defaultdict(dict)  # by node and number of its output in the forward pass
    gradients[loss.grad_fn][0] = torch.ones_like(loss)
    for node in reversed(order):
        got = gradients.pop(node, {})
        if hasattr(node, "variable"):
            node.variable.grad = _sum(node.variable.grad, got.get(0))
            continue
        given = node(*(got.get(i) for i in range(len(node._input_metadata))))
        given = given if isinstance(given, tuple) else (given,)
        for (following, i), gradient in zip(node.next_functions, given, strict=True):
            if following and gradient is not None:
                like = following.variable if hasattr(following, "variable") else following._input_metadata[i]
                gradient = gradient.sum_to_size(like.shape).to(like.dtype)  # the engine undoes broadcasting
                gradients[following][i] = _sum(gradients[following].get(i), gradient)


def _sum(a, b):
    return b if a is None else a if b is None else a + b


@contextmanager
def bfloat16():
    """Autocast of CUDA, which `torch.autocast` would refuse to enable without a GPU."""
    before = torch.get_autocast_dtype("cuda")
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    torch.set_autocast_enabled("cuda", True)
    try:
        yield
    finally:
        torch.set_autocast_enabled("cuda", False)
        torch.set_autocast_dtype("cuda", before)
        torch.clear_autocast_cache()


def move_to_cuda(module):
    """Move parameters and buffers, as `module.to` does where there is a GPU; what modules share stays shared."""
    moved = {}
    for part in module.modules():
        for name, value in [*part._parameters.items(), *part._buffers.items()]:
            if value is not None:
                if value not in moved:
                    fake = value.detach().to("cuda")
                    is_parameter = isinstance(value, nn.Parameter)
                    moved[value] = nn.Parameter(fake, value.requires_grad) if is_parameter else fake
                setattr(part, name, moved[value])


def system_on_cuda(*overrides, experiment="experiments/gan.yaml"):
    """A system with its optimizers on the device, outside a trainer.

    What it logs is moved to the device as Lightning does, a number by a copy.
    """
    small = [item for item in tiny(experiment) if item != "net.width=4" or "net=resnet18" not in overrides]
    model = build(config.load(experiment, [*small, *overrides], TABLES), fresh=False)
    move_to_cuda(model)
    optimizers, _ = model.configure_optimizers()
    model.optimizers = lambda: optimizers
    model._trainer = SimpleNamespace(optimizers=optimizers, training=True)
    model.progress = lambda: 0.5  # past the share of the color loss alone
    model.manual_backward = backward
    model.log_dict = lambda values, **_: [torch.as_tensor(value, device="cuda") for value in values.values()]
    return model


def batch_on_cuda(size=32, dtype=torch.float32):
    """A batch of four pictures; `index` is on the CPU, too, as the data module has it."""
    rgb = torch.zeros(4, 3, size, size, dtype=dtype, device="cuda")
    label = torch.zeros(4, dtype=torch.int64, device="cuda")
    return {"rgb": rgb, "label": label, "index": torch.zeros_like(label), "host_index": torch.arange(4)}


def data_on_cuda():
    """A data module with every augmentation."""
    with unset_fake_temporarily():
        node = config.load("experiments/gan.yaml", [*TINY, "data.near_gray=3.5", "data.aging=0.5"], TABLES).data
        data = PhotographDataModule(lambda train: SkimagePhotos(None, train, 18), node, 0)
        data.setup("fit")
    return data
