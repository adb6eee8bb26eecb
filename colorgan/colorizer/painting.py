"""Color at the full size of a photograph, strip by strip, so that nothing but its pixels exists at that size.

This is work for the CPU, where the pixels come from and go to, whatever the device of the net.
"""

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

STRIP = 2**17  # pixels that a thread computes at a time: bounds the memory of intermediate values


@dataclass
class LowResolution:
    """The predicted color of a picture."""

    ab: Tensor  # (1, 2, h, w) in Lab units
    L: Tensor  # (1, 1, h, w) in [0, 100], the lightness of the picture at this size


@torch.inference_mode()
def shrink(picture: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return the lightness of a picture at another size.

    Args:
        picture: (1, H, W) or (3, H, W), as `color_bytes.lightness` takes it.
        shape: h and w of the result; antialiased where they are smaller.

    Returns:
        L (1, 1, h, w) in [0, 100], float32.
    """
    height, width = picture.shape[-2:]
    narrow = torch.empty(1, 1, height, shape[1])

    def narrow_strip(first: int, last: int) -> None:
        L = lightness(picture[:, first:last])[None, None]
        narrow[:, :, first:last] = _resize(L, (last - first, shape[1]))

    _in_threads(narrow_strip, height, width)
    return _resize(narrow, shape)


@torch.inference_mode()
def paint(picture: Tensor, color: LowResolution, upsample: Upsampling, saturation: float) -> Tensor:
    """Color a picture at its own size; its lightness stays.

    Args:
        picture: (1, H, W) or (3, H, W), as `color_bytes.lightness` takes it.
        color: its predicted color.
        upsample: how color is brought to the size of the picture.
        saturation: factor of the chroma; colors outside sRGB are reduced to its boundary.

    Returns:
        sRGB (3, H, W), a view of (H, W, 3): float in [0, 1] if the picture is float, else uint8.

    Raises:
        UserError: the predicted color is NaN or infinite.
    """
    if not color.ab.isfinite().all():
        raise UserError("the model predicts NaN or infinite values; take an epoch before its training diverged")
    shape = picture.shape[-2:]
    upsampler = make_upsampler(upsample, saturation * color.ab, color.L, shape)
    dtype = torch.float32 if picture.is_floating_point() else torch.uint8
    painted = torch.empty(*shape, 3, dtype=dtype)

    def paint_strip(first: int, last: int) -> None:
        L = lightness(picture[:, first:last])
        ab = upsampler(L, first)
        if dtype == torch.uint8:
            join_bytes(L, ab, painted[first:last])
        else:
            painted[first:last] = join(L[None, None], ab[None])[0].permute(1, 2, 0)

    _in_threads(paint_strip, *shape)
    return painted.permute(2, 0, 1)


def _in_threads(work: Callable[[int, int], None], height: int, width: int) -> None:
    """Do the work of all strips, given their first row and the one after the last, in as many threads as torch uses."""
    rows = max(1, STRIP // width)
    strips = [(first, min(first + rows, height)) for first in range(0, height, rows)]
    threads = torch.get_num_threads()

    def in_full_precision(strip: tuple[int, int]) -> None:  # each thread has its own modes
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            work(*strip)

    if threads == 1 or len(strips) == 1:
        for strip in strips:
            in_full_precision(strip)
        return
    for _ in _pool(threads).map(in_full_precision, strips):
        pass


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Return the threads that work on strips; what they do never waits for another of them."""
    return ThreadPoolExecutor(threads, thread_name_prefix="strips")


def _resize(L: Tensor, shape: tuple[int, int]) -> Tensor:
    return F.interpolate(L, shape, mode="bilinear", antialias=True)
