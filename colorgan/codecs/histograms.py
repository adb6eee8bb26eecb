"""Color by histograms (Larsson, Maire and Shakhnarovich 2016)."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from colorgan.codecs.base import resize
from colorgan.codecs.distribution import Distribution, expectation, sample_with_shared_noise
from colorgan.color import from_hue_chroma, to_hue_chroma

SIGMA_AB = 25.0  # in Lab units: the bins of a and b are quantiles of a Gaussian with this standard deviation


class Histograms(Distribution):
    """Histograms of hue and chroma, of a and b, or joint histograms of ab.

    The loss is the KL divergence between the true and the predicted histogram. As the true histogram of a pixel is
    one-hot, this is the cross entropy. The loss of hue is weighted by the true chroma. Decoding first resizes the
    histograms to the size of the picture.
    """

    decodings = ("median", "expectation", "mode", "sample")

    def __init__(
        self,
        space: Literal["hue_chroma", "lab", "lab_joint"] = "hue_chroma",  # 32 + 32, 32 + 32, or 16 x 16 bins
        hue_weight: float = 5.0,  # lambda_H of the paper's loss
        decoding: Literal["median", "expectation", "mode", "sample"] = "median",  # best for a and b: expectation
        fading: float = 0.03,  # eta of chromatic fading, which reduces chroma where hue is uncertain; 0: none
    ):
        super().__init__(decoding)
        if fading < 0 or hue_weight < 0:
            raise ValueError(f"fading={fading}, hue_weight={hue_weight}: neither is below 0")
        self.space = space
        self.hue_weight = hue_weight
        self.fading = fading
        self.bins = 16 if space == "lab_joint" else 32
        self.channels = 16 * 16 if space == "lab_joint" else 2 * 32
        middle = (torch.arange(self.bins) + 0.5) / self.bins
        centers = middle if space == "hue_chroma" else SIGMA_AB * torch.special.ndtri(middle)
        self.register_buffer("centers", centers, persistent=False)

    @property
    def differentiable_decodings(self) -> tuple[str, ...]:
        """The decodings that pass a gradient to the net: none of hue, which is an angle that wraps around."""
        return () if self.space == "hue_chroma" else ("expectation",)

    def loss(self, out: Tensor, L: Tensor, ab: Tensor) -> Tensor:
        """Return the mean divergence over pixels, a scalar.

        Args:
            out: (B, channels, h, w), logits.
            L: (B, 1, H, W) in [0, 100].
            ab: (B, 2, H, W) in Lab units, the true color; averaged to h x w where the net predicts fewer pixels.
        """
        values = self._values(*(resize(x, out.shape[-2:], "area") for x in (L, ab)))
        index = self._bin_index(values)
        if self.space == "lab_joint":
            a, b = index.unbind(dim=1)
            return F.cross_entropy(out.float(), a * self.bins + b)
        logits = out.float().unflatten(1, (2, self.bins)).transpose(1, 2)  # (B, bins, 2, h, w)
        first, second = F.cross_entropy(logits, index, reduction="none").unbind(dim=1)
        if self.space == "hue_chroma":
            first = self.hue_weight * values[:, 1] * first
        return (first + second).mean()

    def decode(self, out: Tensor, L: Tensor) -> Tensor:
        """Decode logits (B, channels, h, w) to ab (B, 2, H, W) in Lab units, float32, at the size of L (B, 1, H, W)."""
        with torch.autocast(out.device.type, enabled=False):
            return self._decode(out, L)

    def reconstruct(self, L: Tensor, ab: Tensor) -> Tensor:
        """Decode the one-hot encoding of ab (B, 2, H, W)."""
        index = self._bin_index(self._values(L, ab))
        first, second = (F.one_hot(i, self.bins).movedim(-1, 1) for i in index.unbind(dim=1))
        joint = (first[:, :, None] * second[:, None]).flatten(1, 2)
        encoding = joint if self.space == "lab_joint" else torch.cat([first, second], dim=1)
        return self.decode(100.0 * encoding, L)

    def _decode(self, out: Tensor, L: Tensor) -> Tensor:
        if self.space == "lab_joint":
            joint = self._probabilities(out, L).unflatten(1, (self.bins, self.bins))
            marginals = [joint.sum(dim=2), joint.sum(dim=1)]
        else:
            marginals = [self._probabilities(logits, L, i) for i, logits in enumerate(out.chunk(2, dim=1))]
        if self.space != "hue_chroma":
            return self._reduce(torch.stack(marginals, dim=2))
        hue, chroma = marginals
        return from_hue_chroma(L, *self._hue_chroma(hue, self._reduce(chroma)[:, None]))

    def _values(self, L: Tensor, ab: Tensor) -> Tensor:
        """Return the quantities that are binned, (B, 2, H, W): hue and chroma, or a and b."""
        return torch.cat(to_hue_chroma(L, ab), dim=1) if self.space == "hue_chroma" else ab

    def _bin_index(self, values: Tensor) -> Tensor:
        """Return the bin of each value, int64 in [0, bins - 1], of the same shape."""
        if self.space != "hue_chroma":
            values = torch.special.ndtr(values / SIGMA_AB)
        return (values * self.bins).long().clamp(0, self.bins - 1)

    def _probabilities(self, logits: Tensor, L: Tensor, stream: int = 0) -> Tensor:
        """Map logits (B, K, h, w) to probabilities (B, K, H, W) at the size of L; of a sample, nearly one-hot ones."""
        probabilities = resize(torch.softmax(logits.float(), dim=1), L.shape[-2:], "bilinear")
        if self.decoding != "sample":
            return probabilities
        return sample_with_shared_noise(probabilities.clamp(min=1e-12).log(), self.seed, stream)

    def _reduce(self, probabilities: Tensor) -> Tensor:
        """Map probabilities (B, bins, ...) to the median, mode or expectation (B, ...)."""
        if self.decoding == "median":
            return self.centers[(probabilities.cumsum(dim=1) < 0.5).sum(dim=1).clamp(max=self.bins - 1)]
        if self.decoding == "mode":
            return self.centers[probabilities.argmax(dim=1)]
        return expectation(probabilities, self.centers)

    def _hue_chroma(self, probabilities: Tensor, chroma: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mode or the circular mean of hue, and the chroma after chromatic fading.

        Args:
            probabilities: (B, 32, H, W), of hue.
            chroma: (B, 1, H, W) in [0, 1].

        Returns:
            hue (B, 1, H, W) in [0, 1) and chroma (B, 1, H, W) in [0, 1].
        """
        if self.decoding == "mode":
            return self.centers[probabilities.argmax(dim=1, keepdim=True)], chroma
        angle = 2 * math.pi * self.centers
        x, y = (expectation(probabilities, wave(angle))[:, None] / self.bins for wave in (torch.cos, torch.sin))
        length = (x.square() + y.square()).sqrt()  # the longer, the more certain the hue; ONNX has no `torch.hypot`
        fade = (length / self.fading).clamp(max=1) if self.fading and self.decoding != "sample" else 1.0
        return torch.atan2(y, x) / (2 * math.pi) % 1, chroma * fade
