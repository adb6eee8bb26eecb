"""How far what a file computes is from what the colorizer computes."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from colorgan.colorizer.colorizer import Colorizer, Conditions

TOLERANCE = 0.05  # Lab units, of a and of b, in float32
SHAPES = ((1, 41, 91), (3, 64, 33))  # batch, height and width; none is traced


@torch.no_grad()
def largest_difference(
    colorizer: Colorizer,
    run: Callable[..., Tensor],
    hints: bool = False,
    shapes: Iterable[tuple[int, int, int]] = SHAPES,
) -> float:
    """Return the largest difference of a or b in Lab units, for random inputs.

    Args:
        colorizer: in evaluation mode.
        run: maps L (B, 1, H, W) in [0, 100], and hints (B, 3, H, W), to ab (B, 2, h, w) in Lab units.
        hints: whether it takes hints.
        shapes: (B, H, W) of each input.
    """
    generator, largest = torch.Generator().manual_seed(0), 0.0
    for batch, height, width in shapes:
        inputs = [100 * torch.rand(batch, 1, height, width, generator=generator)]
        if hints:
            mask = (torch.rand(batch, 1, height, width, generator=generator) < 0.02).float()
            ab = 30 * torch.randn(batch, 2, height, width, generator=generator)
            inputs.append(torch.cat([mask * ab, mask], dim=1))
        expected = colorizer.predict(Conditions(*inputs[:1], hints=inputs[1] if hints else None))
        found = run(*inputs)
        if found.shape != expected.shape:
            return float("inf")
        largest = max(largest, float((found - expected).abs().max()))
    return largest
