"""Color by classification over the in-gamut bins of ab (Zhang, Isola and Efros 2016, section 2)."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from colorgan.codecs.distribution import TEMPERATURE, Distribution, draw
from colorgan.codecs.neighbors import Neighbors
from colorgan.color import in_gamut_bins
from colorgan.errors import UserError

SMOOTHING = 5.0  # Lab units by which the prior is blurred (section 2.2)


class Bins(Distribution):
    """A distribution over the 313 in-gamut bins of ab, 10 Lab units wide."""

    channels = 313
    decodings = ("annealed", "mean", "mode", "sample")
    smooth = ("annealed", "mean")

    def __init__(
        self,
        neighbors: int = 5,  # bins that share the code of a color (section 2.1); the released code takes 10
        sigma: float = 5.0,  # Lab units: how fast their share falls with the distance
        rebalance: float = 0.5,  # lambda of equation 4, the uniform part of the prior; 1: all colors weigh the same
        prior: str | None = None,  # a file of `python -m colorgan.prior`; default: measured when training begins
        near_gray: float = 5.0,  # pictures without a color of a larger |a| or |b| are not learned from
        decoding: Literal["annealed", "mean", "mode", "sample"] = "annealed",
        temperature: float = TEMPERATURE,  # of the annealed mean (equation 5)
    ):
        super().__init__(decoding)
        if not 1 <= neighbors <= self.channels:
            raise ValueError(f"neighbors={neighbors}: from 1 to {self.channels}")
        if sigma <= 0 or temperature <= 0:
            raise ValueError(f"sigma={sigma}, temperature={temperature}: both are above 0")
        if not 0 < rebalance <= 1:
            raise ValueError(f"rebalance={rebalance}: a share above 0, for there are bins that no picture fills")
        self.sigma = sigma
        self.rebalance = rebalance
        self.prior_file = prior
        self.near_gray = near_gray
        self.temperature = temperature
        self.register_buffer("bins", in_gamut_bins(), persistent=False)
        self.register_buffer("prior", torch.full((self.channels,), 1 / self.channels))
        self.nearest = Neighbors(self.bins, neighbors)

    def initialize(self, ab: Iterable[Tensor]) -> None:
        """Measure the prior on batches (B, 2, H, W) of true colors, or read the file `prior`."""
        if self.prior_file:
            self.prior.copy_(read_prior(self.prior_file))
            return
        counts = torch.zeros(self.channels, dtype=torch.float64)
        for batch in ab:
            nearest, _ = self.nearest(batch.to(self.bins.device))
            counts += torch.bincount(nearest[:, 0].flatten().cpu(), minlength=self.channels)
        bins = self.bins.double().cpu()
        blur = torch.exp(-torch.cdist(bins, bins).square() / (2 * SMOOTHING**2))
        smooth = (blur / blur.sum(dim=1, keepdim=True)).T @ counts
        self.prior.copy_(smooth / smooth.sum())

    def class_weights(self) -> Tensor:
        """(313,): rare colors weigh more, the mean over the prior is 1 (equation 4)."""
        weights = 1 / ((1 - self.rebalance) * self.prior + self.rebalance / self.channels)
        return weights / (self.prior * weights).sum()

    def encode(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """Colors ab (B, 2, H, W) -> their nearest bins and the shares of these, (B, neighbors, H, W) each."""
        index, squared = self.nearest(ab)
        return index, torch.softmax(-squared / (2 * self.sigma**2), dim=1)

    def loss(self, out: Tensor, L: Tensor, ab: Tensor) -> Tensor:
        """Cross entropy with the soft code of the true color at the pixel in the middle of each predicted one.

        The weights of rare colors, and of near-gray pictures, act on the gradient alone, as in the authors' code.

        Args:
            out: (B, 313, h, w), logits.
            L: (B, 1, H, W) in [0, 100].
            ab: (B, 2, H, W), the true color in Lab units.
        """
        truth = F.interpolate(ab, out.shape[-2:], mode="nearest-exact") if ab.shape[-2:] != out.shape[-2:] else ab
        index, shares = self.encode(truth)
        entropy = -(shares * F.log_softmax(out.float(), dim=1).gather(1, index)).sum(dim=1)  # (B, h, w)
        colorful = (truth.abs() > self.near_gray).flatten(1).any(dim=1)
        weights = self.class_weights()[index[:, 0]] * colorful[:, None, None]
        weighted = (entropy * weights).mean()
        return weighted + (entropy.mean() - weighted).detach()

    def decode(self, out: Tensor, L: Tensor) -> Tensor:
        """Logits (B, 313, h, w) as ab (B, 2, h, w) in Lab units, float32."""
        if self.decoding == "mode":
            return self.bins[out.argmax(dim=1)].movedim(-1, 1)
        if self.decoding == "sample":
            shares = draw(out, self.seed)
        else:
            shares = torch.softmax(out.float() / (self.temperature if self.decoding == "annealed" else 1), dim=1)
        with torch.autocast(out.device.type, enabled=False):
            return torch.einsum("bqhw,qc->bchw", shares, self.bins)

    def reconstruct(self, L: Tensor, ab: Tensor) -> Tensor:
        """What the code of ab (B, 2, H, W) itself decodes to: the best that any net can do."""
        index, shares = self.encode(ab)
        code = torch.zeros(len(ab), self.channels, *ab.shape[-2:], device=ab.device).scatter(1, index, shares)
        return self.decode(code.clamp(min=1e-30).log(), L)


def save_prior(path: Path, prior: Tensor) -> None:
    """Writes a prior (313,) as JSON."""
    content = {"bins": in_gamut_bins().tolist(), "prior": prior.tolist()}
    path.write_text(json.dumps(content), encoding="utf-8")


def read_prior(path: str | Path) -> Tensor:
    """The prior (313,) of a file; raises UserError if there is none in it."""
    remedy = "python -m colorgan.prior measures one"
    try:
        prior = torch.tensor(json.loads(Path(path).expanduser().read_text(encoding="utf-8"))["prior"])
    except OSError as error:
        raise UserError(f"codec.prior={path}: {error.strerror}; {remedy}") from None
    except (ValueError, KeyError, TypeError, RuntimeError):  # the last: no numbers
        raise UserError(f"codec.prior={path}: not a prior; {remedy}") from None
    if prior.shape != (Bins.channels,) or not (prior >= 0).all() or not 0 < prior.sum() < float("inf"):
        raise UserError(f"codec.prior={path}: not {Bins.channels} frequencies; {remedy}")
    return prior / prior.sum()
