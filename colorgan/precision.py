"""Full float32 precision for the few operations that TF32 would break (`docs/precision.md`)."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def full_precision() -> Iterator[None]:
    """Compute matrix products of float32 in float32, also where `torch.set_float32_matmul_precision` allows TF32.

    On exit the former precision is restored. Setting `fp32_precision` and not `torch.set_float32_matmul_precision`
    again works whichever of the two was used before: reading the latter raises after the former was set.
    """
    backends = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)
    allowed = [backend.fp32_precision for backend in backends]
    for backend in backends:
        backend.fp32_precision = "ieee"
    try:
        yield
    finally:
        for backend, precision in zip(backends, allowed, strict=True):
            backend.fp32_precision = precision
