"""Color by regression: the net predicts ab itself."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Regress(nn.Module):
    """The net predicts ab itself, squashed by tanh (Nazeri 2018, section 3.4; their code: ab / 110)."""

    channels = 2

    def __init__(
        self,
        loss: Literal["l1", "mse"] = "l1",  # mean over pixels and channels, in units of `scale`
        scale: float = 110.0,  # Lab units of a fully saturated output
    ):
        super().__init__()
        self.error = {"l1": F.l1_loss, "mse": F.mse_loss}[loss]
        self.scale = scale

    def loss(self, out: Tensor, L: Tensor, ab: Tensor) -> Tensor:
        """The color loss, a scalar.

        Args:
            out: (B, 2, h, w), the net's linear output.
            L: (B, 1, H, W) in [0, 100].
            ab: (B, 2, H, W), the true color in Lab units; shrunk to h x w where the net predicts fewer pixels.
        """
        truth = F.interpolate(ab, out.shape[-2:], mode="area") if ab.shape[-2:] != out.shape[-2:] else ab
        return self.error(self.decode(out, L) / self.scale, truth / self.scale)

    def decode(self, out: Tensor, L: Tensor) -> Tensor:
        """The net's output (B, 2, h, w) as ab (B, 2, h, w) in Lab units, float32 and differentiable."""
        return torch.tanh(out.float()) * self.scale
