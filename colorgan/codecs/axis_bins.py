"""Color by classification of a and of b, each over bins of its own (Melas-Kyriazi and Han, report)."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from colorgan.codecs.distribution import Distribution, draw

BINS = 25  # of each axis, 10 Lab units wide, from -120 to 120


class AxisBins(Distribution):
    """Two distributions a pixel: 25 bins of a, then 25 of b. Every sRGB color lies within them."""

    channels = 2 * BINS
    decodings = ("mean", "mode", "sample")
    smooth = ("mean",)

    def __init__(self, decoding: Literal["mean", "mode", "sample"] = "mean"):
        super().__init__(decoding)
        self.register_buffer("centers", torch.linspace(-120, 120, BINS), persistent=False)

    def loss(self, out: Tensor, L: Tensor, ab: Tensor) -> Tensor:
        """Cross entropy with the true color's bins at the pixel in the middle of each predicted one, summed over axes.

        Args:
            out: (B, 50, h, w), logits.
            L: (B, 1, H, W) in [0, 100].
            ab: (B, 2, H, W), the true color in Lab units.
        """
        truth = F.interpolate(ab, out.shape[-2:], mode="nearest-exact") if ab.shape[-2:] != out.shape[-2:] else ab
        return 2 * F.cross_entropy(_by_axis(out.float()), self._bins(truth))

    def decode(self, out: Tensor, L: Tensor) -> Tensor:
        """Logits (B, 50, h, w) as ab (B, 2, h, w) in Lab units, float32."""
        logits = _by_axis(out.float())  # (B, 25, 2, h, w)
        if self.decoding == "mode":
            return self.centers[logits.argmax(dim=1)]
        if self.decoding == "sample":
            shares = torch.stack([draw(axis, self.seed, i) for i, axis in enumerate(logits.unbind(2))], dim=2)
        else:
            shares = torch.softmax(logits, dim=1)
        return (shares * self.centers.view(-1, 1, 1, 1)).sum(dim=1)

    def reconstruct(self, L: Tensor, ab: Tensor) -> Tensor:
        """What the bins of ab (B, 2, H, W) themselves decode to: the best that any net can do."""
        return self.centers[self._bins(ab)]

    def _bins(self, ab: Tensor) -> Tensor:
        return ((ab + 120) / 10).round().long().clamp(0, BINS - 1)


def _by_axis(out: Tensor) -> Tensor:
    """(B, 50, h, w) -> (B, 25, 2, h, w)."""
    return out.unflatten(1, (2, BINS)).transpose(1, 2)
