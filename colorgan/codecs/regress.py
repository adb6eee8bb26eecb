"""Color by regression: the net predicts ab itself."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorgan.codecs.base import Codec


class Regress(Codec):
    """The net predicts ab itself, squashed as its paper does.

    Nazeri 2018, section 3.4, and deep-koalarization: tanh; Iizuka 2016: a sigmoid whose middle is gray;
    VGG-19 fusion and the CNN of Melas-Kyriazi and Han: as it is.
    """

    channels = 2
    differentiable = True

    def __init__(
        self,
        loss: Literal["l1", "mse"] = "l1",  # mean over pixels and channels, in units of `scale`
        activation: Literal["tanh", "sigmoid", "linear"] = "tanh",
        scale: float = 110.0,  # Lab units of a fully saturated output; of an output of 1, where it is linear
    ):
        super().__init__()
        if scale <= 0:
            raise ValueError(f"scale={scale}: Lab units above 0")
        self.error = {"l1": F.l1_loss, "mse": F.mse_loss}[loss]
        self.activation = {"tanh": torch.tanh, "sigmoid": _signed_sigmoid, "linear": nn.Identity()}[activation]
        self.scale = scale

    def loss(self, out: Tensor, L: Tensor, ab: Tensor) -> Tensor:
        """The color loss, a scalar.

        Args:
            out: (B, 2, h, w), the net's linear output.
            L: (B, 1, H, W) in [0, 100].
            ab: (B, 2, H, W), the true color in Lab units; shrunk to h x w where the net predicts fewer pixels.
        """
        return self.error(self.activation(out.float()), _shrink(ab, out.shape[-2:]) / self.scale)

    def decode(self, out: Tensor, L: Tensor) -> Tensor:
        """The net's output (B, 2, h, w) as ab (B, 2, h, w) in Lab units, float32 and differentiable."""
        return self.activation(out.float()) * self.scale

    def reconstruct(self, L: Tensor, ab: Tensor) -> Tensor:
        """The closest to ab (B, 2, H, W) that any output decodes to."""
        return ab if isinstance(self.activation, nn.Identity) else ab.clamp(-self.scale, self.scale)


def _signed_sigmoid(x: Tensor) -> Tensor:
    """A sigmoid stretched to (-1, 1)."""
    return 2 * torch.sigmoid(x) - 1


def _shrink(ab: Tensor, shape: torch.Size) -> Tensor:
    return F.interpolate(ab, shape, mode="area") if ab.shape[-2:] != shape else ab
