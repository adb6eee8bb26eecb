"""The interface of nets, and the capabilities that some of them have besides."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Net(nn.Module, ABC):
    """A network that maps lightness to what a codec decodes.

    Constructors take `channels`, the number of output channels that the codec asks for, and their own arguments, whose
    annotations and defaults are the keys of `net:` in an experiment.
    """

    @abstractmethod
    def forward(self, L: Tensor) -> Tensor:
        """Map L (B, 1, H, W) in [0, 100], any H and W, to (B, channels, h, w) without an activation at the end."""

    def initialize(self, L: Tensor) -> None:
        """Fit the initial weights to training pictures L (B, 1, H, W) in [0, 100], where the net needs it."""


class SparseNet(Net):
    """A net that trains on some pixels of each picture."""

    points: int  # pixels a picture

    @abstractmethod
    def forward_at(self, L: Tensor, points: Tensor) -> Tensor:
        """Return the output (B, channels, 1, N) at pixels of L (B, 1, H, W).

        Args:
            L: (B, 1, H, W) in [0, 100].
            points: (B, N, 2), row and column of each pixel.
        """


class EmbeddingNet(Net):
    """A net that uses the embedding of each picture by a frozen network, which a training run may cache."""

    body: nn.Module  # the frozen network
    embedding_width: int

    @abstractmethod
    def embed(self, L: Tensor) -> Tensor:
        """Return the embedding (B, embedding_width) of L (B, 1, H, W) in [0, 100], without gradient."""

    @abstractmethod
    def forward(self, L: Tensor, embedding: Tensor | None = None) -> Tensor:
        """As `Net.forward`; `embedding` (B, embedding_width) is computed by `embed` where it is not given."""


class SceneNet(Net):
    """A net that classifies scenes with the features that it colors with."""

    classes: int  # 1: it was built without scenes

    @abstractmethod
    def forward_with_scenes(self, L: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output (B, channels, h, w) and the logits (B, classes) of L (B, 1, H, W) in [0, 100]."""
