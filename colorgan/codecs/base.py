"""The interface of codecs: what the output of a net means."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from torch import Tensor, nn


class Codec(nn.Module, ABC):
    """Turns the output of a net into color, and compares it with the true color."""

    channels: int  # output channels that a net needs for it
    differentiable: bool  # whether `decode` passes gradients on

    @abstractmethod
    def loss(self, out: Tensor, L: Tensor, ab: Tensor) -> Tensor:
        """Return the color loss, a scalar.

        Args:
            out: (B, channels, h, w), the output of a net.
            L: (B, 1, H, W) in [0, 100], with H >= h and W >= w.
            ab: (B, 2, H, W), the true color in Lab units.
        """

    @abstractmethod
    def decode(self, out: Tensor, L: Tensor) -> Tensor:
        """Return the predicted color ab, (B, 2, h, w) or (B, 2, H, W) in Lab units, float32.

        Args:
            out: (B, channels, h, w), the output of a net.
            L: (B, 1, H, W) in [0, 100].
        """

    @abstractmethod
    def reconstruct(self, L: Tensor, ab: Tensor) -> Tensor:
        """Encode and decode ab (B, 2, H, W): the closest colors that any output decodes to."""

    def initialize(self, ab: Iterable[Tensor]) -> None:
        """Measure batches (B, 2, H, W) of training colors, where the codec needs it."""
