"""What training does to a batch of pictures, on its own device.

All chance comes from the generator that is passed in. It lives on the CPU, so that a run draws the same on every
device, and no function here waits for the device.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # of R, G and B (BT.601)
WIDEST = math.log(4 / 3)  # log of the widest aspect ratio that a crop stretches to a square


def flip(rgb: Tensor, generator: torch.Generator) -> Tensor:
    """Mirrors each picture of (B, 3, H, W) with probability 1/2."""
    mirrored = torch.rand(len(rgb), generator=generator) < 0.5
    mirrored = mirrored.to(rgb.device, non_blocking=True)
    return torch.where(mirrored[:, None, None, None], rgb.flip(-1), rgb)


def random_resized_crop(rgb: Tensor, size: int, smallest: float, generator: torch.Generator) -> Tensor:
    """Cuts a random window out of each picture and resizes it to a square.

    The window's area is uniform in [smallest, 1] of the picture's, its aspect ratio log-uniform between 3/4 and 4/3 as
    far as the area leaves room, its place uniform. Each window is resized by itself, bicubic and antialiased as
    validation pictures are: on a CPU that takes no longer than one `grid_sample` for all, which would alias.

    Args:
        rgb: float (B, 3, H, W) in [0, 1].
        size: pixels of the square.
        smallest: in (0, 1]; 1 resizes the whole picture.
        generator: on the CPU.

    Returns:
        float (B, 3, size, size) in [0, 1].
    """
    height, width = rgb.shape[-2:]
    windows = []
    for area, ratio, across, down in torch.rand(len(rgb), 4, generator=generator).tolist():
        area = 1 - area * (1 - smallest)
        ratio = math.exp((2 * ratio - 1) * min(WIDEST, -math.log(area)))
        w = max(1, round(width * math.sqrt(area * ratio)))
        h = max(1, round(height * math.sqrt(area / ratio)))
        left, top = int(across * (width - w + 1)), int(down * (height - h + 1))
        windows.append(_resize(rgb[len(windows)][None, :, top : top + h, left : left + w], size))
    return torch.cat(windows).clamp_(0, 1)  # bicubic overshoots at edges


def near_gray(rgb: Tensor, threshold: float) -> Tensor:
    """Tells pictures that show no color of their own: gray ones, and gray ones that were toned (sepia, cyanotype).

    The rule: take the opponent channels R - G and (R + G)/2 - B, subtract from each the straight line on luma that fits
    the picture's pixels best, and take the root mean square of what is left, in 8-bit units. A gray picture leaves 0;
    so does a print in one tint, whose color is a function of its lightness. Below `threshold`, a picture is near-gray.
    One flat color is near-gray as well: where nothing changes, nothing can be learned.

    Figures behind the default of 3.5, at 72 px (36 to 288 px differ by a few pictures): of photographs that are gray,
    40 of 40 fall below it, and 40 of 40 of the same in one tint; of 12,250 color photographs of scenes 7, which by eye
    are toned prints and colored fog; of 120 of flowers 4, three gray and one red print. At 5, 60 of the scenes do, half
    of them true snow and mist. The mean of max(R, G, B) - min(R, G, B) cannot tell: 20 to 57 for a sepia print, and
    from 6 on for a color scene.

    Args:
        rgb: (B, 3, H, W) in [0, 255], uint8 or float.
        threshold: in 8-bit units; 0 finds none.

    Returns:
        bool (B,) on the pictures' device.
    """
    r, g, b = rgb.float().flatten(2).unbind(1)  # (B, H * W) each
    luma = _centered(LUMA[0] * r + LUMA[1] * g + LUMA[2] * b)
    variance = luma.square().mean(1).clamp(min=1e-3)
    left = 0.0
    for opponent in (_centered(r - g), _centered((r + g) / 2 - b)):
        slope = (opponent * luma).mean(1) / variance
        left = left + (opponent - slope[:, None] * luma).square().mean(1)
    return torch.sqrt(left) < threshold


def without(dropped: Tensor) -> Tensor:
    """Which pictures of a batch stand where, when the dropped ones' places are taken by the others in turn.

    The batch keeps its shape, and the host does not wait to learn how many there are. A batch that would lose all keeps
    all.

    Args:
        dropped: bool (B,).

    Returns:
        int64 (B,): indices into the batch.
    """
    order = dropped.to(torch.uint8).argsort(stable=True)
    kept = len(dropped) - dropped.sum()
    kept = torch.where(kept == 0, len(dropped), kept)
    return order[torch.arange(len(dropped), device=dropped.device) % kept]


def _resize(rgb: Tensor, size: int) -> Tensor:
    return F.interpolate(rgb, size=(size, size), mode="bicubic", antialias=True, align_corners=False)


def _centered(channel: Tensor) -> Tensor:
    return channel - channel.mean(1, keepdim=True)
