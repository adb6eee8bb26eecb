"""What a machine computes at best: the FLOP/s of a matrix product and of a 3x3 convolution."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from colorgan.benching.timing import Recorder, clock_of

MATRIX = {"cpu": 1024, "mps": 4096, "cuda": 8192}  # rows of the matrices
MAPS = {"cpu": 4, "mps": 16, "cuda": 64}  # pictures in a batch of feature maps
CHANNELS, SIDE = 128, 64  # of a feature map
RUNS = 12  # the fastest one counts


def measure_peaks(device: str, dtypes: list[torch.dtype]) -> dict[str, float]:
    """Return the FLOP/s of each kind of work in each type, as "3x3 convolution, float32".

    A multiplication and an addition are two FLOP. float32 means what `torch.set_float32_matmul_precision` allows.

    Args:
        device: type of the device.
        dtypes: types of the numbers.
    """
    peaks = {}
    for dtype in dtypes:
        name = str(dtype).removeprefix("torch.")
        peaks[f"matrix product, {name}"] = _rate(device, *matrix_product(MATRIX[device], device, dtype))
        peaks[f"3x3 convolution, {name}"] = _rate(device, *convolution(MAPS[device], device, dtype))
    return peaks


def matrix_product(n: int, device: str, dtype: torch.dtype) -> tuple[Callable[[], Tensor], int]:
    """Return a product of two square matrices of `n` rows, and its FLOP."""
    a, b = torch.randn(2, n, n, device=device).to(dtype)
    return lambda: a @ b, 2 * n**3


def convolution(batch: int, device: str, dtype: torch.dtype) -> tuple[Callable[[], Tensor], int]:
    """Return a 3x3 convolution of `batch` feature maps, and its FLOP."""
    x = torch.randn(batch, CHANNELS, SIDE, SIDE, device=device).to(dtype)
    weight = torch.randn(CHANNELS, CHANNELS, 3, 3, device=device).to(dtype)
    if device == "cuda":  # the layout of tensor cores
        x, weight = x.to(memory_format=torch.channels_last), weight.to(memory_format=torch.channels_last)
    return lambda: F.conv2d(x, weight, padding=1), 2 * batch * SIDE**2 * CHANNELS**2 * 9


@torch.inference_mode()
def _rate(device: str, work: Callable[[], Tensor], flops: int) -> float:
    recorder = Recorder(clock_of(device))
    for i in range(RUNS):
        recorder.enter(i)
        recorder.mark("work")
        work()
    recorder.enter(None)
    recorder.mark("end")
    return flops / min(phases["work"] for phases in recorder.totals().values())
