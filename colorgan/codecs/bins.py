"""Color by classification over the in-gamut bins of ab (Zhang, Isola and Efros 2016, section 2)."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from colorgan.codecs.base import resize
from colorgan.codecs.distribution import TEMPERATURE, Distribution, expectation, sample_with_shared_noise
from colorgan.codecs.neighbors import NearestNeighbors
from colorgan.color import in_gamut_bins
from colorgan.errors import UserError

SIGMA_PRIOR = 5.0  # in Lab units, of the Gaussian that smooths the prior (section 2.2)


class Bins(Distribution):
    """A distribution over the 313 in-gamut bins of ab, which are 10 Lab units wide."""

    channels = 313
    decodings = ("annealed", "mean", "mode", "sample")
    differentiable_decodings = ("annealed", "mean")

    def __init__(
        self,
        neighbors: int = 5,  # bins of the soft encoding of a color (section 2.1); the released code uses 10
        sigma: float = 5.0,  # of the Gaussian of the soft encoding, in Lab units
        rebalance: float = 0.5,  # lambda of equation 4, the weight of the uniform distribution; 1: no rebalancing
        prior: str | None = None,  # a file of `python -m colorgan.prior`; default: measured when training starts
        near_gray: float = 5.0,  # pictures whose |a| and |b| are nowhere larger get no gradient
        decoding: Literal["annealed", "mean", "mode", "sample"] = "annealed",  # to one color
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
        self.nearest = NearestNeighbors(self.bins, neighbors)

    def initialize(self, ab: Iterable[Tensor]) -> None:
        """Measure the prior on batches (B, 2, H, W) of training colors in Lab units, or read it from the file `prior`.

        Raises:
            UserError: the file cannot be read or contains no prior.
        """
        if self.prior_file:
            self.prior.copy_(read_prior(self.prior_file))
            return
        counts = torch.zeros(self.channels, dtype=torch.float64)
        for batch in ab:
            nearest, _ = self.nearest(batch.to(self.bins.device))
            counts += torch.bincount(nearest[:, 0].flatten().cpu(), minlength=self.channels)
        bins = self.bins.double().cpu()
        blur = torch.exp(-torch.cdist(bins, bins).square() / (2 * SIGMA_PRIOR**2))
        smoothed = (blur / blur.sum(dim=1, keepdim=True)).T @ counts
        self.prior.copy_(smoothed / smoothed.sum())

    def class_weights(self) -> Tensor:
        """Return the weights of the bins, (313,), larger for rare colors, with mean 1 under the prior (equation 4)."""
        weights = 1 / ((1 - self.rebalance) * self.prior + self.rebalance / self.channels)
        return weights / (self.prior * weights).sum()

    def encode(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """Encode colors softly: return their nearest bins and the probabilities of these (section 2.1).

        Args:
            ab: (B, 2, H, W) in Lab units.

        Returns:
            Indices of bins (B, neighbors, H, W), int64, and probabilities (B, neighbors, H, W), which sum to 1.
        """
        index, squared = self.nearest(ab)
        return index, torch.softmax(-squared / (2 * self.sigma**2), dim=1)

    def loss(self, out: Tensor, L: Tensor, ab: Tensor) -> Tensor:
        """Return the cross entropy with the soft encoding of the true color.

        Where the net predicts fewer pixels, the true color is sampled at the center of each of them. The class weights,
        and the weight 0 of near-gray pictures, affect only the gradient, as in the authors' code.

        Args:
            out: (B, 313, h, w), logits.
            L: (B, 1, H, W) in [0, 100].
            ab: (B, 2, H, W) in Lab units, the true color.
        """
        target = resize(ab, out.shape[-2:], "nearest-exact")
        index, probabilities = self.encode(target)
        entropy = -(probabilities * F.log_softmax(out.float(), dim=1).gather(1, index)).sum(dim=1)  # (B, h, w)
        colorful = (target.abs() > self.near_gray).flatten(1).any(dim=1)
        weights = self.class_weights()[index[:, 0]] * colorful[:, None, None]
        weighted = (entropy * weights).mean()
        return weighted + (entropy.mean() - weighted).detach()  # plain entropy as value, weighted one as gradient

    def decode(self, out: Tensor, L: Tensor) -> Tensor:
        """Decode logits (B, 313, h, w) to ab (B, 2, h, w) in Lab units, float32."""
        if self.decoding == "mode":
            return self.bins[out.argmax(dim=1)].movedim(-1, 1)
        if self.decoding == "sample":
            probabilities = sample_with_shared_noise(out, self.seed)
        else:
            probabilities = torch.softmax(out.float() / (self.temperature if self.decoding == "annealed" else 1), dim=1)
        return torch.stack([expectation(probabilities, values) for values in self.bins.unbind(dim=1)], dim=1)

    def reconstruct(self, L: Tensor, ab: Tensor) -> Tensor:
        """Decode the soft encoding of ab (B, 2, H, W)."""
        index, probabilities = self.encode(ab)
        dense = torch.zeros(len(ab), self.channels, *ab.shape[-2:], device=ab.device)
        return self.decode(dense.scatter(1, index, probabilities).clamp(min=1e-30).log(), L)


def save_prior(path: Path, prior: Tensor) -> None:
    """Write a prior (313,) as JSON."""
    content = {"bins": in_gamut_bins().tolist(), "prior": prior.tolist()}
    path.write_text(json.dumps(content), encoding="utf-8")


def read_prior(path: str | Path) -> Tensor:
    """Read a prior (313,), which sums to 1, from a file of `save_prior`.

    Raises:
        UserError: the file cannot be read or contains no prior.
    """
    remedy = "python -m colorgan.prior measures one"
    file = Path(path).expanduser()
    if file.exists() and not file.is_file():  # to read a device or a named pipe might never end
        raise UserError(f"codec.prior={path}: not a regular file; {remedy}")
    try:
        prior = torch.tensor(json.loads(file.read_text(encoding="utf-8"))["prior"])
    except OSError as error:
        raise UserError(f"codec.prior={path}: {error.strerror}; {remedy}") from None
    except (ValueError, KeyError, TypeError, RuntimeError, OverflowError):  # RuntimeError: not numbers, or nested
        raise UserError(f"codec.prior={path}: not a prior; {remedy}") from None
    if prior.shape != (Bins.channels,) or not (prior >= 0).all() or not 0 < prior.sum() < float("inf"):
        raise UserError(f"codec.prior={path}: not {Bins.channels} frequencies; {remedy}")
    return prior / prior.sum()
