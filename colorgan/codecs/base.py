"""The interface of codecs, which define what the output of a net means."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch.nn.functional as F
from torch import Tensor, nn

from colorgan.errors import UserError


class Codec(nn.Module, ABC):
    """Decodes the output of a net to color, and computes its loss."""

    channels: int  # output channels of the net
    differentiable: bool  # whether `decode` passes a gradient to the net

    @abstractmethod
    def loss(self, out: Tensor, L: Tensor, ab: Tensor) -> Tensor:
        """Return the color loss, a scalar.

        Args:
            out: (B, channels, h, w), the output of a net.
            L: (B, 1, H, W) in [0, 100], with H >= h and W >= w.
            ab: (B, 2, H, W) in Lab units, the true color.
        """

    @abstractmethod
    def decode(self, out: Tensor, L: Tensor) -> Tensor:
        """Return the predicted color, ab (B, 2, h, w) or (B, 2, H, W) in Lab units, float32.

        Args:
            out: (B, channels, h, w), the output of a net.
            L: (B, 1, H, W) in [0, 100].
        """

    @abstractmethod
    def reconstruct(self, L: Tensor, ab: Tensor) -> Tensor:
        """Encode and decode the true color, which bounds what a net can achieve.

        Args:
            L: (B, 1, H, W) in [0, 100].
            ab: (B, 2, H, W) in Lab units.

        Returns:
            (B, 2, H, W) in Lab units.
        """

    def uncertainty(self, out: Tensor) -> Tensor:
        """Return how far off the predicted color is expected to be, (B, 1, h, w) in Lab units.

        Args:
            out: (B, channels, h, w), the output of a net.

        Raises:
            UserError: this codec does not know.
        """
        raise UserError("the model does not know how sure it is: train one with codec.uncertainty=true")

    def initialize(self, ab: Iterable[Tensor]) -> None:
        """Fit buffers to batches (B, 2, H, W) of training colors in Lab units. Does nothing by default."""


def resize(x: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    """Resize (B, C, H, W) to (B, C, *size) by `F.interpolate`, unless it has that size."""
    return x if x.shape[-2:] == size else F.interpolate(x, size, mode=mode)
