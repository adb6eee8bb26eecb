"""The base class of codecs that predict a distribution of colors, and sampling from it."""

from typing import ClassVar

import torch
from torch import Tensor

from colorgan.codecs.base import Codec
from colorgan.errors import UserError
from colorgan.seeding import seed_of
from colorgan.transfer import to_device

TEMPERATURE = 0.38  # of the annealed mean (Zhang, Isola and Efros 2016, section 2.3), and of samples
SHARPNESS = 5.0  # of the soft argmax of samples: high enough that one color wins, low enough that seams are soft


class Distribution(Codec):
    """A codec that decodes a distribution in one of several ways.

    Attributes:
        decoding: the current one of `decodings`.
        seed: of the noise of samples.
    """

    decodings: ClassVar[tuple[str, ...]]
    differentiable_decodings: ClassVar[tuple[str, ...]]

    def __init__(self, decoding: str):
        super().__init__()
        self.set_decoding(decoding)

    def set_decoding(self, decoding: str, seed: int = 0) -> None:
        """Set how `decode` works from now on.

        Args:
            decoding: one of `decodings`.
            seed: of the noise, where `decoding` is "sample".

        Raises:
            UserError: unknown `decoding`.
        """
        if decoding not in self.decodings:
            raise UserError(f"decoding '{decoding}': there are {', '.join(self.decodings)}")
        self.decoding = decoding
        self.seed = seed

    @property
    def differentiable(self) -> bool:
        """Whether `decode` passes a gradient to the net."""
        return self.decoding in self.differentiable_decodings


def expectation(probabilities: Tensor, values: Tensor) -> Tensor:
    """Return the mean of `values` under the distribution of each pixel, in full precision (`docs/precision.md`).

    Args:
        probabilities: (B, K, ...).
        values: (K,).

    Returns:
        (B, ...). A matrix product would round both arguments to TF32 in training on CUDA.
    """
    return (probabilities * values.view(-1, *[1] * (probabilities.ndim - 2))).sum(dim=1)


def sample_with_shared_noise(logits: Tensor, seed: int, stream: int = 0) -> Tensor:
    """Sample from the annealed distribution of each pixel by the Gumbel-max trick, with the same noise at all pixels.

    The argmax of logits plus Gumbel noise is a sample from their softmax. Sharing one noise vector keeps the
    distribution of each pixel, and pixels with the same logits get the same sample, so that the colors of a picture
    are coherent. Without annealing, the many unlikely colors together would win too often. A sharp softmax replaces
    the argmax.

    Args:
        logits: (B, K, h, w).
        seed: of the noise, which is the same on every device and in every batch.
        stream: which of the independent noise vectors of this seed to use, for codecs with several distributions.

    Returns:
        (B, K, h, w), nearly one-hot weights, float32.
    """
    uniform = torch.rand(
        logits.shape[1], generator=torch.Generator().manual_seed(seed_of(seed, stream)), dtype=torch.float64
    )
    gumbel = to_device(-torch.log(-torch.log(uniform)).float(), logits.device)
    annealed = torch.log_softmax(logits.float() / TEMPERATURE, dim=1)
    return torch.softmax(SHARPNESS * (annealed + gumbel[:, None, None]), dim=1)
