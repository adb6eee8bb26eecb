"""Color at the full size of a photograph, strip by strip, so that nothing but its pixels exists at that size."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from colorgan.color import join
from colorgan.color_bytes import join_bytes, lightness
from colorgan.colorizer.upsampling import Upsampling, make_upsampler
from colorgan.errors import UserError

STRIP = 2**16  # pixels computed at a time on a CPU, so that intermediate values fit into its cache
STRIP_ON_DEVICE = 2**21


@dataclass
class LowResolution:
    """The predicted color of a picture."""

    ab: Tensor  # (1, 2, h, w) in Lab units
    L: Tensor  # (1, 1, h, w) in [0, 100], the lightness of the picture at this size


@torch.inference_mode()
def shrink(picture: Tensor, shape: tuple[int, int], device: torch.device) -> Tensor:
    """Return the lightness of a picture at another size.

    Args:
        picture: (1, H, W) or (3, H, W), as `color_bytes.lightness` takes it.
        shape: h and w of the result; antialiased where they are smaller.
        device: of the result, on which it is computed.

    Returns:
        L (1, 1, h, w) in [0, 100], float32.
    """
    height, width = picture.shape[-2:]
    narrow = torch.empty(1, 1, height, shape[1], device=device)

    def narrow_strip(first: int, last: int) -> None:
        L = lightness(picture[:, first:last].to(device))[None, None]
        narrow[:, :, first:last] = _resize(L, (last - first, shape[1]))

    _in_threads(narrow_strip, height, width, device)
    return _resize(narrow, shape)


@torch.inference_mode()
def paint(picture: Tensor, color: LowResolution, upsample: Upsampling, saturation: float) -> Tensor:
    """Color a picture at its own size; its lightness stays.

    Args:
        picture: (1, H, W) or (3, H, W), as `color_bytes.lightness` takes it.
        color: its predicted color, on the device that is to compute.
        upsample: how color is brought to the size of the picture.
        saturation: factor of the chroma; colors outside sRGB are reduced to its boundary.

    Returns:
        sRGB (3, H, W) on the CPU, a view of (H, W, 3): float in [0, 1] if the picture is float, else uint8.

    Raises:
        UserError: the predicted color is NaN or infinite.
    """
    device = color.ab.device
    if not color.ab.isfinite().all():
        raise UserError("the model predicts NaN or infinite values; take an epoch before its training diverged")
    height, width = picture.shape[-2:]
    upsampler = make_upsampler(upsample, saturation * color.ab, color.L, (height, width))
    dtype = torch.float32 if picture.is_floating_point() else torch.uint8
    painted = torch.empty(height, width, 3, dtype=dtype)

    def paint_strip(first: int, last: int) -> None:
        L = lightness(picture[:, first:last].to(device))
        ab = upsampler(L, first)
        if dtype == torch.uint8:
            painted[first:last] = join_bytes(L, ab)
        else:
            painted[first:last] = join(L[None, None], ab[None])[0].permute(1, 2, 0)

    _in_threads(paint_strip, height, width, device)
    return painted.permute(2, 0, 1)


def _in_threads(work: Callable[[int, int], None], height: int, width: int, device: torch.device) -> None:
    """Do the work of all strips, given the first row of each and the one after the last.

    On a CPU this takes as many threads as torch uses.
    """
    rows = max(1, (STRIP if device.type == "cpu" else STRIP_ON_DEVICE) // width)
    strips = [(first, min(first + rows, height)) for first in range(0, height, rows)]
    work = torch.inference_mode()(work)  # each thread has its own mode
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    if threads == 1 or len(strips) == 1:
        for strip in strips:
            work(*strip)
        return
    for _ in _pool(threads).map(lambda strip: work(*strip), strips):
        pass


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Return the threads that work on strips; what they do never waits for another of them."""
    return ThreadPoolExecutor(threads, thread_name_prefix="strips")


def _resize(L: Tensor, shape: tuple[int, int]) -> Tensor:
    return F.interpolate(L, shape, mode="bilinear", antialias=True)
