"""Augmentation of a batch on its own device.

All randomness comes from the generator that is passed in. It lives on the CPU, so that a run draws the same numbers on
every device, and no function here waits for the device.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from colorgan.transfer import to_device

LUMA_WEIGHTS = (0.299, 0.587, 0.114)  # of R, G and B (ITU-R BT.601)
LOG_MAX_ASPECT_RATIO = math.log(4 / 3)  # of the windows of `random_resized_crop`


def random_horizontal_flip(rgb: Tensor, generator: torch.Generator) -> Tensor:
    """Flip each image of a batch (B, 3, H, W) horizontally with probability 1/2."""
    flipped = torch.rand(len(rgb), generator=generator) < 0.5
    return torch.where(to_device(flipped, rgb.device)[:, None, None, None], rgb.flip(-1), rgb)


def random_resized_crop(rgb: Tensor, size: int, min_area: float, generator: torch.Generator) -> Tensor:
    """Crop a random window from each image and resize it to a square.

    The window's share of the image area is uniform in [min_area, 1], its aspect ratio is log-uniform between 3/4 and
    4/3 as far as the area leaves room, and its position is uniform. Each window is resized on its own, bicubic and
    antialiased like validation images. On a CPU this is as fast as one `grid_sample` of the batch, which would alias.

    Args:
        rgb: float (B, 3, H, W) in [0, 1].
        size: side of the square in pixels.
        min_area: smallest share of the image area, in (0, 1]; 1 resizes the whole image.
        generator: on the CPU.

    Returns:
        float (B, 3, size, size) in [0, 1].
    """
    height, width = rgb.shape[-2:]
    windows = []
    for area, ratio, across, down in torch.rand(len(rgb), 4, generator=generator).tolist():
        area = 1 - area * (1 - min_area)
        ratio = math.exp((2 * ratio - 1) * min(LOG_MAX_ASPECT_RATIO, -math.log(area)))
        w = max(1, round(width * math.sqrt(area * ratio)))
        h = max(1, round(height * math.sqrt(area / ratio)))
        left, top = int(across * (width - w + 1)), int(down * (height - h + 1))
        windows.append(_resize(rgb[len(windows)][None, :, top : top + h, left : left + w], size))
    return torch.cat(windows).clamp_(0, 1)  # bicubic overshoots at edges


def near_gray(rgb: Tensor, threshold: float) -> Tensor:
    """Detect images without color information: gray ones, and gray ones in one tint (sepia, cyanotype).

    For each of the opponent channels R - G and (R + G)/2 - B, the least-squares line on luma is subtracted, and the
    root mean square of both residuals together is compared with `threshold`. The residual of a gray image is 0; so is
    that of a toned print, whose color is a function of its lightness. An image of one flat color is near-gray as well,
    because it does not vary.

    Figures for the default threshold of 3.5, at 72 px (36 to 288 px differ by a few images): it detects 40 of 40 gray
    photographs and 40 of 40 of the same in one tint. Of 12,250 color photographs of scenes it detects 7, which on
    inspection are toned prints and colored fog; of 120 photographs of flowers 4, which are three gray ones and a red
    print. A threshold of 5 detects 60 of the scenes, half of which are true snow and mist. The mean of
    max(R, G, B) - min(R, G, B) does not separate the two: it is 20 to 57 for sepia prints, and 6 or more for color
    scenes.

    Args:
        rgb: (B, 3, H, W) in [0, 255], uint8 or float.
        threshold: in 8-bit units; 0 detects none.

    Returns:
        bool (B,) on the device of `rgb`.
    """
    r, g, b = rgb.float().flatten(2).unbind(1)  # (B, H * W) each
    luma = _center(LUMA_WEIGHTS[0] * r + LUMA_WEIGHTS[1] * g + LUMA_WEIGHTS[2] * b)
    variance = luma.square().mean(1).clamp(min=1e-3)
    residual = 0.0
    for opponent in (_center(r - g), _center((r + g) / 2 - b)):
        slope = (opponent * luma).mean(1) / variance
        residual = residual + (opponent - slope[:, None] * luma).square().mean(1)
    return torch.sqrt(residual) < threshold


def replacement_indices(dropped: Tensor) -> Tensor:
    """Return the batch indices that replace dropped images by the kept ones, in turn.

    Indexing a batch with the result keeps its shape, and the host need not know how many images are dropped. If all
    are dropped, all are kept.

    Args:
        dropped: bool (B,).

    Returns:
        int64 (B,) on the device of `dropped`: first the kept images in order, then the same again from the first.
    """
    order = dropped.to(torch.uint8).argsort(stable=True)
    kept = len(dropped) - dropped.sum()
    kept = torch.where(kept == 0, len(dropped), kept)
    return order[torch.arange(len(dropped), device=dropped.device) % kept]


def _resize(rgb: Tensor, size: int) -> Tensor:
    return F.interpolate(rgb, size=(size, size), mode="bicubic", antialias=True, align_corners=False)


def _center(channel: Tensor) -> Tensor:
    return channel - channel.mean(1, keepdim=True)
