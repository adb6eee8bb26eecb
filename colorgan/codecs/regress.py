"""Color by regression of ab."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorgan.codecs.base import Codec, resize


class Regress(Codec):
    """The net predicts ab, after the activation of its paper.

    tanh: Nazeri 2018, section 3.4, and deep-koalarization; sigmoid, shifted so that 0 is gray: Iizuka 2016; linear:
    VGG-19 fusion and the CNN of Melas-Kyriazi and Han.
    """

    channels = 2
    differentiable = True

    def __init__(
        self,
        loss: Literal["l1", "mse"] = "l1",  # mean over pixels and channels, in units of `scale`
        activation: Literal["tanh", "sigmoid", "linear"] = "tanh",
        scale: float = 110.0,  # Lab units that an activation of 1 stands for, the maximum of tanh and sigmoid
    ):
        super().__init__()
        if scale <= 0:
            raise ValueError(f"scale={scale}: Lab units above 0")
        self.error = {"l1": F.l1_loss, "mse": F.mse_loss}[loss]
        self.activation = {"tanh": torch.tanh, "sigmoid": _signed_sigmoid, "linear": nn.Identity()}[activation]
        self.scale = scale

    def loss(self, out: Tensor, L: Tensor, ab: Tensor) -> Tensor:
        """Return the L1 or squared error, a scalar.

        Args:
            out: (B, 2, h, w), the output of a net before the activation.
            L: (B, 1, H, W) in [0, 100].
            ab: (B, 2, H, W) in Lab units, the true color; averaged to h x w where the net predicts fewer pixels.
        """
        return self.error(self.activation(out.float()), resize(ab, out.shape[-2:], "area") / self.scale)

    def decode(self, out: Tensor, L: Tensor) -> Tensor:
        """Decode the output (B, 2, h, w) of a net to ab (B, 2, h, w) in Lab units, float32."""
        return self.activation(out.float()) * self.scale

    def reconstruct(self, L: Tensor, ab: Tensor) -> Tensor:
        """Clamp ab (B, 2, H, W) to the range of the activation."""
        return ab if isinstance(self.activation, nn.Identity) else ab.clamp(-self.scale, self.scale)


def _signed_sigmoid(x: Tensor) -> Tensor:
    """Return a sigmoid with the range (-1, 1)."""
    return 2 * torch.sigmoid(x) - 1
