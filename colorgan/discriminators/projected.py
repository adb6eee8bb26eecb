"""A discriminator that judges colors by what a classifier sees in them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from colorgan.color import join_unbounded
from colorgan.nets.bodies import make_body, standardize_rgb

LEVELS = 4  # of the body's feature maps, from the deepest up: in a ResNet those of its four stages


class Projected(nn.Module):
    """Small critics of the feature maps of a frozen classifier, each map with its own.

    Sauer et al. 2021, "Projected GANs converge faster", section 3.2, without its random mixing of channels and scales.
    Spectral norm in every layer that learns (Miyato et al. 2018).
    """

    def __init__(
        self,
        channels: int,
        pretrained: bool,
        weights: str | None = None,  # a checkpoint of our classifier of colored pictures, or timm's weights of the body
        body: str = "resnet18",  # any network of timm with four feature maps or more
        size: int = 32,  # of both sides of what the body sees
        width: int = 64,  # channels of a critic
    ):
        super().__init__()
        if size < 1 or width < 1:
            raise ValueError(f"size={size}, width={width}: at least 1")
        self.size = size
        self.body = make_body(body, pretrained, weights, num_classes=0, channels=channels).requires_grad_(False).eval()
        if len(self.body.feature_info) < LEVELS:
            raise ValueError(f"body={body}: has no {LEVELS} feature maps to look at")
        self.critics = nn.ModuleList(_critic(level["num_chs"], width) for level in self.body.feature_info[-LEVELS:])
        self.to(memory_format=torch.channels_last)

    def train(self, mode: bool = True) -> "Projected":
        """The body stays as it was trained."""
        super().train(mode)
        self.body.eval()
        return self

    def features(self, lab: Tensor) -> list[Tensor]:
        """Return the feature maps of the body for Lab (B, 3, H, W), the input of `forward`, the largest first."""
        small = F.interpolate(lab, (self.size, self.size), mode="bilinear", antialias=True)
        seen = standardize_rgb(join_unbounded(small[:, :1], small[:, 1:]), self.body.pretrained_cfg)
        return self.body.forward_intermediates(seen, indices=LEVELS, intermediates_only=True)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Map what `features` returns to logits (B, 4, h, w), one channel a feature map, of the size of the largest."""
        logits = [critic(features) for critic, features in zip(self.critics, maps, strict=True)]
        # Repeating the logits of small maps gives each map the same say in a mean.
        return torch.cat([F.interpolate(each, logits[0].shape[-2:], mode="nearest-exact") for each in logits], dim=1)


def _critic(channels: int, width: int) -> nn.Module:
    return nn.Sequential(
        spectral_norm(nn.Conv2d(channels, width, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(width, 1, 1)),
    )
