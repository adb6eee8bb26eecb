"""Color by regression of ab."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorgan.codecs.base import Codec, resize

INITIAL_LOG_SCALE = -2.5  # of the error that an output of 0 stands for, in units of `scale`: about that of gray
UNCERTAINTY_WEIGHT = 0.05


class Regress(Codec):
    """The net predicts ab, after the activation of its paper.

    tanh: Nazeri 2018, section 3.4, and deep-koalarization; sigmoid, shifted so that 0 is gray: Iizuka 2016; linear:
    VGG-19 fusion and the CNN of Melas-Kyriazi and Han.
    """

    differentiable = True

    def __init__(
        self,
        loss: Literal["l1", "mse"] = "l1",  # mean over pixels and channels, in units of `scale`
        activation: Literal["tanh", "sigmoid", "linear"] = "tanh",  # of the output of the net
        scale: float = 110.0,  # Lab units that an activation of 1 stands for, the maximum of tanh and sigmoid
        uncertainty: bool = False,  # whether the net also predicts how far off its color is, which `suggest` needs
    ):
        super().__init__()
        self.channels = 3 if uncertainty else 2
        if scale <= 0:
            raise ValueError(f"scale={scale}: Lab units above 0")
        self.error = {"l1": F.l1_loss, "mse": F.mse_loss}[loss]
        self.activation = {"tanh": torch.tanh, "sigmoid": _signed_sigmoid, "linear": nn.Identity()}[activation]
        self.scale = scale

    def loss(self, out: Tensor, L: Tensor, ab: Tensor) -> Tensor:
        """Return the L1 or squared error, a scalar.

        With `uncertainty`, the negative log-likelihood of the absolute error is added, under a Laplace distribution
        whose scale the net predicts (Kendall and Gal 2017, "What uncertainties do we need", section 3.1). The color
        itself gets no gradient from it.

        Args:
            out: (B, channels, h, w), the output of a net before the activation.
            L: (B, 1, H, W) in [0, 100].
            ab: (B, 2, H, W) in Lab units, the true color; averaged to h x w where the net predicts fewer pixels.
        """
        predicted, true = self.activation(out[:, :2].float()), resize(ab, out.shape[-2:], "area") / self.scale
        loss = self.error(predicted, true)
        if self.channels == 2:
            return loss
        error = (predicted.detach() - true).abs().mean(dim=1)
        log_scale = self._log_scale(out[:, 2])
        return loss + UNCERTAINTY_WEIGHT * (error * torch.exp(-log_scale) + log_scale).mean()

    def decode(self, out: Tensor, L: Tensor) -> Tensor:
        """Decode the output (B, channels, h, w) of a net to ab (B, 2, h, w) in Lab units, float32."""
        return self.activation(out[:, :2].float()) * self.scale

    def uncertainty(self, out: Tensor) -> Tensor:
        """Return the expected absolute error of a and b (B, 1, h, w) in Lab units, of the output of a net."""
        if self.channels == 2:
            return super().uncertainty(out)
        return torch.exp(self._log_scale(out[:, 2:])) * self.scale

    @staticmethod
    def _log_scale(x: Tensor) -> Tensor:
        """Return the logarithm of the expected error in units of `scale`, within the bounds of float32."""
        return (x.float() + INITIAL_LOG_SCALE).clamp(-20, 20)

    def reconstruct(self, L: Tensor, ab: Tensor) -> Tensor:
        """Clamp ab (B, 2, H, W) to the range of the activation."""
        return ab if isinstance(self.activation, nn.Identity) else ab.clamp(-self.scale, self.scale)


def _signed_sigmoid(x: Tensor) -> Tensor:
    """Return a sigmoid with the range (-1, 1)."""
    return 2 * torch.sigmoid(x) - 1
