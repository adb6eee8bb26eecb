"""Color by histograms (Larsson, Maire and Shakhnarovich 2016)."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from colorgan.codecs.distribution import Distribution, draw
from colorgan.color import from_hue_chroma, to_hue_chroma

DEVIATION = 25.0  # Lab units: ab is binned at the quantiles of a Gaussian of this deviation


class Histograms(Distribution):
    """Histograms of hue and of chroma, or of a and of b, or joint ones of ab.

    The loss is the divergence of the histograms from the true color, which with one color a pixel is cross entropy; hue
    counts as much as its chroma lets it be seen. Decoding resizes the histograms to the picture first.
    """

    decodings = ("median", "expectation", "mode", "sample")

    def __init__(
        self,
        space: Literal["hue_chroma", "lab", "lab_joint"] = "hue_chroma",  # 32 + 32, 32 + 32, or 16 x 16 bins
        hue_weight: float = 5.0,  # lambda_H of the paper's loss
        decoding: Literal["median", "expectation", "mode", "sample"] = "median",  # of chroma; of ab expectation is best
        fading: float = 0.03,  # eta of chromatic fading: chroma fades where the hue is less certain; 0: never
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
        centers = middle if space == "hue_chroma" else DEVIATION * torch.special.ndtri(middle)
        self.register_buffer("centers", centers, persistent=False)

    @property
    def smooth(self) -> tuple[str, ...]:
        """The decodings that pass a gradient on: hue, an angle that wraps around, does not."""
        return () if self.space == "hue_chroma" else ("expectation",)

    def loss(self, out: Tensor, L: Tensor, ab: Tensor) -> Tensor:
        """The mean divergence over pixels.

        Args:
            out: (B, channels, h, w), logits.
            L: (B, 1, H, W) in [0, 100].
            ab: (B, 2, H, W), the true color in Lab units; shrunk to h x w where the net predicts fewer pixels.
        """
        if ab.shape[-2:] != out.shape[-2:]:
            L, ab = (F.interpolate(x, out.shape[-2:], mode="area") for x in (L, ab))
        if self.space == "lab_joint":
            a, b = self._index(ab).unbind(dim=1)
            return F.cross_entropy(out.float(), a * self.bins + b)
        values = torch.cat(to_hue_chroma(L, ab), dim=1) if self.space == "hue_chroma" else ab
        first, second = F.cross_entropy(self._split(out), self._index(values), reduction="none").unbind(dim=1)
        if self.space == "hue_chroma":
            first = self.hue_weight * values[:, 1] * first
        return (first + second).mean()

    def decode(self, out: Tensor, L: Tensor) -> Tensor:
        """Logits (B, channels, h, w) and L (B, 1, H, W) -> ab (B, 2, H, W) in Lab units, float32."""
        with torch.autocast(out.device.type, enabled=False):
            return self._decode(out, L)

    def reconstruct(self, L: Tensor, ab: Tensor) -> Tensor:
        """What the bins of ab (B, 2, H, W) themselves decode to: the best that any net can do."""
        values = torch.cat(to_hue_chroma(L, ab), dim=1) if self.space == "hue_chroma" else ab
        first, second = (F.one_hot(index, self.bins).movedim(-1, 1) for index in self._index(values).unbind(dim=1))
        joint = (first[:, :, None] * second[:, None]).flatten(1, 2)
        code = joint if self.space == "lab_joint" else torch.cat([first, second], dim=1)
        return self.decode(100.0 * code, L)

    def _decode(self, out: Tensor, L: Tensor) -> Tensor:
        if self.space == "lab_joint":
            joint = self._shares(out, L).unflatten(1, (self.bins, self.bins))
            shares = torch.stack([joint.sum(dim=2), joint.sum(dim=1)], dim=2)  # (B, 16, 2, H, W)
        else:
            halves = [self._shares(half, L, i) for i, half in enumerate(out.chunk(2, dim=1))]
            shares = torch.stack(halves, dim=2)
        if self.space != "hue_chroma":
            return self._value(shares)
        hue, chroma = shares.unbind(dim=2)
        return from_hue_chroma(L, *self._hue_chroma(hue, self._value(chroma)[:, None]))

    def _split(self, out: Tensor) -> Tensor:
        """(B, 2 * bins, h, w) -> (B, bins, 2, h, w), float32."""
        return out.float().unflatten(1, (2, self.bins)).transpose(1, 2)

    def _index(self, values: Tensor) -> Tensor:
        """The bin of each value."""
        if self.space != "hue_chroma":
            values = torch.special.ndtr(values / DEVIATION)
        return (values * self.bins).long().clamp(0, self.bins - 1)

    def _shares(self, logits: Tensor, L: Tensor, which: int = 0) -> Tensor:
        """A histogram's shares at the size of L; of a sample, nearly all for one bin."""
        shares = torch.softmax(logits.float(), dim=1)
        if shares.shape[-2:] != L.shape[-2:]:
            shares = F.interpolate(shares, L.shape[-2:], mode="bilinear")
        return draw(shares.clamp(min=1e-12).log(), self.seed, which) if self.decoding == "sample" else shares

    def _value(self, shares: Tensor) -> Tensor:
        """Shares (B, bins, ...) -> their one value (B, ...)."""
        if self.decoding == "median":
            return self.centers[(shares.cumsum(dim=1) < 0.5).sum(dim=1).clamp(max=self.bins - 1)]
        if self.decoding == "mode":
            return self.centers[shares.argmax(dim=1)]
        return torch.einsum("bk...,k->b...", shares, self.centers)

    def _hue_chroma(self, shares: Tensor, chroma: Tensor) -> tuple[Tensor, Tensor]:
        """Shares of hues (B, 32, H, W), chroma (B, 1, H, W) -> one hue, and the chroma after fading."""
        if self.decoding == "mode":
            return self.centers[shares.argmax(dim=1, keepdim=True)], chroma
        angle = 2 * math.pi * self.centers
        x, y = (
            torch.einsum("bkhw,k->bhw", shares, wave(angle))[:, None] / self.bins for wave in (torch.cos, torch.sin)
        )
        certain = torch.hypot(x, y)
        fade = (certain / self.fading).clamp(max=1) if self.fading and self.decoding != "sample" else 1.0
        return torch.atan2(y, x) / (2 * math.pi) % 1, chroma * fade
