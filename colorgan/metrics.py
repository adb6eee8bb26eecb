"""Metrics of colorization that torchmetrics, kornia and scikit-image lack: one value a picture."""

import torch
from torch import Tensor


def ab_error(ab: Tensor, truth: Tensor) -> Tensor:
    """Mean Euclidean distance of the colors, (B, 2, H, W) each in Lab units -> (B,) in Lab units."""
    return (ab - truth).norm(dim=1).mean(dim=(1, 2))


def colorfulness(rgb: Tensor) -> Tensor:
    """How colorful people find a picture: 0 (gray), 33 (moderate), 109 (extreme).

    Hasler and Süsstrunk 2003, "Measuring colourfulness in natural images", section 5.

    Args:
        rgb: (B, 3, H, W) in [0, 1].

    Returns:
        (B,), in units of 8-bit values.
    """
    r, g, b = (255 * rgb).unbind(dim=1)
    opponents = torch.stack([r - g, (r + g) / 2 - b], dim=1).flatten(2)  # (B, 2, H*W)
    std, mean = torch.std_mean(opponents, dim=2, correction=0)
    return std.norm(dim=1) + 0.3 * mean.norm(dim=1)


def hits(logits: Tensor, label: Tensor, k: int) -> Tensor:
    """1 where the true class is among the k likeliest, else 0; logits (B, classes), label (B,) -> (B,)."""
    likeliest = logits.topk(min(k, logits.shape[1]), dim=1).indices
    return (likeliest == label[:, None]).any(dim=1).float()
