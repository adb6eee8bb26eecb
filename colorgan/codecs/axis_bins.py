"""Color by classification of a and of b separately (Melas-Kyriazi and Han, report)."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from colorgan.codecs.base import resize
from colorgan.codecs.distribution import Distribution, expectation, sample_with_shared_noise

NUM_BINS = 25  # of each axis
BIN_WIDTH = 10  # in Lab units
MAX_CENTER = 120  # in Lab units; the first center is at -120


class AxisBins(Distribution):
    """Two distributions for each pixel, over 25 bins of a and 25 bins of b, which cover all sRGB colors."""

    channels = 2 * NUM_BINS
    decodings = ("mean", "mode", "sample")
    differentiable_decodings = ("mean",)

    def __init__(
        self,
        decoding: Literal["mean", "mode", "sample"] = "mean",  # to one color
    ):
        super().__init__(decoding)
        self.register_buffer("centers", torch.linspace(-MAX_CENTER, MAX_CENTER, NUM_BINS), persistent=False)

    def loss(self, out: Tensor, L: Tensor, ab: Tensor) -> Tensor:
        """Return the cross entropy with the bins of the true color, summed over both axes.

        Where the net predicts fewer pixels, the true color is sampled at the center of each of them.

        Args:
            out: (B, 50, h, w), logits of a, then of b.
            L: (B, 1, H, W) in [0, 100].
            ab: (B, 2, H, W) in Lab units, the true color.
        """
        target = resize(ab, out.shape[-2:], "nearest-exact")
        return 2 * F.cross_entropy(_split_axes(out.float()), self._encode(target))

    def decode(self, out: Tensor, L: Tensor) -> Tensor:
        """Decode logits (B, 50, h, w) to ab (B, 2, h, w) in Lab units, float32."""
        logits = _split_axes(out.float())  # (B, 25, 2, h, w)
        if self.decoding == "mode":
            return self.centers[logits.argmax(dim=1)]
        if self.decoding == "sample":
            axes = [sample_with_shared_noise(axis, self.seed, i) for i, axis in enumerate(logits.unbind(2))]
            probabilities = torch.stack(axes, dim=2)
        else:
            probabilities = torch.softmax(logits, dim=1)
        return expectation(probabilities, self.centers)

    def reconstruct(self, L: Tensor, ab: Tensor) -> Tensor:
        """Round ab (B, 2, H, W) to the centers of its bins."""
        return self.centers[self._encode(ab)]

    def _encode(self, ab: Tensor) -> Tensor:
        """Return the bin of each value of ab, int64 in [0, 24], of the same shape."""
        return ((ab + MAX_CENTER) / BIN_WIDTH).round().long().clamp(0, NUM_BINS - 1)


def _split_axes(out: Tensor) -> Tensor:
    """Reshape (B, 50, h, w) to (B, 25, 2, h, w)."""
    return out.unflatten(1, (2, NUM_BINS)).transpose(1, 2)
