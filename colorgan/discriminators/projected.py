"""A discriminator on the features of a pretrained classifier."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from colorgan.color import join_unbounded
from colorgan.nets.bodies import FrozenBody, make_body, standardize_rgb
from colorgan.nets.depthwise import use_float32_depthwise

NUM_FEATURE_MAPS = 4  # the deepest ones of the body; those of the four stages of a ResNet


class Projected(FrozenBody):
    """A small critic for each of several feature maps of a frozen classifier.

    This is the projected discriminator of Sauer et al. 2021, "Projected GANs converge faster", section 3.2, without
    mixing of scales. All layers of the critics have spectral normalization (Miyato et al. 2018).
    """

    def __init__(
        self,
        channels: int,
        pretrained: bool,
        weights: str | None = None,  # path of a checkpoint of our RGB classifier, or of weights of timm, for the body
        body: str = "resnet18",  # name of a network of timm with at least four feature maps
        size: int = 32,  # side in pixels of the input of the body
        width: int = 64,  # channels of each critic
        mixing: bool = False,  # the critics see random mixtures of the channels of each feature map
    ):
        super().__init__()
        if size < 1 or width < 1:
            raise ValueError(f"size={size}, width={width}: at least 1")
        self.size = size
        self.body = make_body(body, pretrained, weights, num_classes=0, channels=channels).requires_grad_(False).eval()
        levels = self.body.feature_info[-NUM_FEATURE_MAPS:]
        if len(levels) < NUM_FEATURE_MAPS:
            raise ValueError(f"body={body}: has no {NUM_FEATURE_MAPS} feature maps to look at")
        self.mixers = nn.ModuleList(_mixer(level["num_chs"]) for level in levels if mixing)
        self.critics = nn.ModuleList(_critic(level["num_chs"], width) for level in levels)
        use_float32_depthwise(self).to(memory_format=torch.channels_last)

    def features(self, lab: Tensor) -> list[Tensor]:
        """Return the input of `forward` for Lab (B, 3, H, W): the feature maps of the body, the largest first."""
        small = F.interpolate(lab, (self.size, self.size), mode="bilinear", antialias=True)
        rgb = standardize_rgb(join_unbounded(small[:, :1], small[:, 1:]), self.body.pretrained_cfg)
        maps = self.body.forward_intermediates(rgb, indices=NUM_FEATURE_MAPS, intermediates_only=True)
        return [mix(x) for mix, x in zip(self.mixers, maps, strict=True)] if self.mixers else maps

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Map what `features` returns to logits (B, 4, h, w), a channel per map, at the size of the largest map."""
        logits = [critic(features) for critic, features in zip(self.critics, maps, strict=True)]
        # Upsampling the logits gives each feature map the same weight in the mean of a loss.
        return torch.cat([F.interpolate(x, logits[0].shape[-2:], mode="nearest-exact") for x in logits], dim=1)


def _mixer(channels: int) -> nn.Module:
    """Return the fixed random 1x1 convolution of the paper, with Kaiming initialization."""
    mixer = nn.Conv2d(channels, channels, 1, bias=False).requires_grad_(False)
    nn.init.kaiming_normal_(mixer.weight)
    return mixer


def _critic(channels: int, width: int) -> nn.Module:
    return nn.Sequential(
        spectral_norm(nn.Conv2d(channels, width, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(width, 1, 1)),
    )
