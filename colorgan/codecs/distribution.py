"""What codecs share that predict a distribution of colors: ways to one color of it, and coherent samples."""

from typing import ClassVar

import torch
from torch import Tensor

from colorgan.codecs.base import Codec
from colorgan.errors import UserError
from colorgan.seeding import seed_of

TEMPERATURE = 0.38  # of the annealed mean of Zhang 2016, section 2.3, and of samples
SHARPNESS = 5.0  # of a sample: high enough for one color to win, low enough for seams to be soft


class Distribution(Codec):
    """A codec that decodes in several ways; `decoding` names the one in use, `seed` the sample."""

    decodings: ClassVar[tuple[str, ...]]
    smooth: ClassVar[tuple[str, ...]]  # those that pass a gradient on

    def __init__(self, decoding: str):
        super().__init__()
        self.choose(decoding)

    def choose(self, decoding: str, seed: int = 0) -> None:
        """Decodes in this way from now on; raises UserError if there is no such way."""
        if decoding not in self.decodings:
            raise UserError(f"decoding '{decoding}': there are {', '.join(self.decodings)}")
        self.decoding = decoding
        self.seed = seed

    @property
    def differentiable(self) -> bool:
        """Whether `decode` passes a gradient on."""
        return self.decoding in self.smooth


def draw(logits: Tensor, seed: int, which: int = 0) -> Tensor:
    """A sample of each pixel's annealed distribution, the same chance at all pixels.

    Gumbel's trick: the argmax of logits + noise is a draw from their softmax. With one noise vector for all pixels
    each pixel keeps its distribution, and pixels that predict alike draw alike: a sample holds together as a picture.
    Without annealing the many unlikely colors together would win too often.

    Args:
        logits: (B, K, h, w).
        seed: of the noise; on every device and in every batch it gives the same.
        which: of several distributions of a pixel; each has a noise of its own.

    Returns:
        (B, K, h, w), weights of the K choices that are nearly one choice, float32.
    """
    uniform = torch.rand(
        logits.shape[1], generator=torch.Generator().manual_seed(seed_of(seed, which)), dtype=torch.float64
    )
    noise = -torch.log(-torch.log(uniform)).to(logits.device, torch.float32)
    annealed = torch.log_softmax(logits.float() / TEMPERATURE, dim=1)
    return torch.softmax(SHARPNESS * (annealed + noise[:, None, None]), dim=1)
