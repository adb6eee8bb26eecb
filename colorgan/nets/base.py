"""The interface of nets, and interfaces of nets with further capabilities."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Net(nn.Module, ABC):
    """A network that maps lightness to an output, which a codec decodes to color.

    The constructor takes `channels`, the number of output channels that the codec needs (`build_colorizer` passes it).
    Each further argument is a key of `net:` in an experiment, with its annotation as type and its default as default.
    """

    @abstractmethod
    def forward(self, L: Tensor) -> Tensor:
        """Map lightness to an output, which a codec decodes to color.

        Args:
            L: (B, 1, H, W) in [0, 100], of any height and width.

        Returns:
            (B, channels, h, w), without a final activation, where h and w are H and W divided by the output stride of
            the net and rounded up.
        """

    def initialize(self, L: Tensor) -> None:
        """Fit the initial weights to training pictures L (B, 1, H, W) in [0, 100]. Does nothing by default."""


class SparseNet(Net):
    """A net that is trained on a sample of the pixels of each picture."""

    points: int  # training pixels of each picture

    @abstractmethod
    def forward_at(self, L: Tensor, points: Tensor) -> Tensor:
        """Return the output at the given pixels, (B, channels, 1, N).

        Args:
            L: (B, 1, H, W) in [0, 100].
            points: (B, N, 2), the row and column of each pixel.
        """


class EmbeddingNet(Net):
    """A net that uses an embedding of each picture by a frozen body, which training may cache."""

    body: nn.Module
    embedding_width: int

    @abstractmethod
    def embed(self, L: Tensor) -> Tensor:
        """Return the embeddings (B, embedding_width) of L (B, 1, H, W) in [0, 100], without gradient."""

    @abstractmethod
    def forward(self, L: Tensor, embedding: Tensor | None = None) -> Tensor:
        """See `Net.forward`; `embedding` (B, embedding_width) defaults to `embed(L)`."""


class SceneNet(Net):
    """A net that also classifies the scene of a picture, from features that it colors with."""

    classes: int  # number of scenes; 1: no scene classifier

    @abstractmethod
    def forward_with_scenes(self, L: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output (B, channels, h, w) and scene logits (B, classes) of L (B, 1, H, W) in [0, 100]."""


class HintedNet(Net):
    """A net that may be given the colors of some pixels.

    Hints (B, 3, H, W) are ab in Lab units where a color is given, 0 elsewhere, and a mask of 1 where it is given.
    """

    takes_hints: bool

    @abstractmethod
    def forward(self, L: Tensor, hints: Tensor | None = None) -> Tensor:
        """See `Net.forward`; `hints` defaults to none."""
