"""Deep Koalarization (Baldassarre, González Morín and Rodés-Guirao 2017)."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorgan.nets.base import EmbeddingNet
from colorgan.nets.blocks import crop_to, pad_up
from colorgan.nets.bodies import make_body, standardize


class Koala(EmbeddingNet):
    """An encoder and a decoder, with what a frozen network says of the whole picture tiled between them.

    6,574,050 trained parameters with their embedding of 1001 values and two output channels. Their last layer doubles
    the size by repeating pixels; this net ends before it.
    """

    def __init__(
        self,
        channels: int,
        pretrained: bool,
        body: str = "inception_resnet_v2",  # any network of timm
        weights: str | None = None,  # a checkpoint of our classifier, or a file of timm's weights, for the body
        embedding: Literal["logits", "features"] = "logits",  # what of the body: the classes, or what they come from
        logits: int = 1000,  # classes of the body
        body_size: int = 299,  # pixels of the square that the body sees
        width: int = 64,  # channels of the first layer; the others scale with it
    ):
        super().__init__()
        if pretrained and not weights and embedding == "logits" and logits != 1000:
            raise ValueError(f"logits={logits}: published weights have 1000 classes")
        self.body = make_body(body, pretrained, weights, num_classes=logits if embedding == "logits" else 0)
        self.body.requires_grad_(False).eval()
        self.body_size = body_size
        self.embedding_width = logits if embedding == "logits" else self.body.head_hidden_size
        sizes = [1, 1, 2, 2, 4, 4, 8, 8, 4]  # channels in units of `width`, the first of them gray
        strides = [2, 1, 2, 1, 2, 1, 1, 1]
        pairs = zip(sizes, sizes[1:], strides, strict=False)
        self.encoder = nn.Sequential(
            *(_Conv(1 if i == 0 else width * a, width * b, stride) for i, (a, b, stride) in enumerate(pairs))
        )
        self.fusion = _glorot(nn.Conv2d(4 * width + self.embedding_width, 4 * width, 1))
        self.decoder = nn.Sequential(
            _Conv(4 * width, 2 * width),
            nn.Upsample(scale_factor=2),
            _Conv(2 * width, width),
            _Conv(width, width),
            nn.Upsample(scale_factor=2),
            _Conv(width, width // 2),
        )
        self.head = _glorot(nn.Conv2d(width // 2, channels, 3, 1, 1))

    def train(self, mode: bool = True) -> "Koala":
        """Leaves the frozen body in evaluation mode."""
        super().train(mode)
        self.body.eval()
        return self

    def embed(self, L: Tensor) -> Tensor:
        """L (B, 1, H, W) in [0, 100] -> the embedding (B, embedding_width), without gradient."""
        with torch.no_grad():
            small = F.interpolate(L, (self.body_size, self.body_size), mode="bilinear", antialias=True)
            return self.body(standardize(small, self.body.pretrained_cfg))

    def forward(self, L: Tensor, embedding: Tensor | None = None) -> Tensor:
        """L (B, 1, H, W) in [0, 100], any H and W -> (B, channels, H/2, W/2), rounded up, linear.

        Args:
            L: the lightness.
            embedding: (B, embedding_width) where it is known; default: `embed(L)`.
        """
        embedding = self.embed(L) if embedding is None else embedding
        x = self.encoder(pad_up(L / 50 - 1, 8))
        tiled = embedding.to(x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[-2:])
        x = F.relu(self.fusion(torch.cat([x, tiled], dim=1)))
        return crop_to(self.head(self.decoder(x)), L, 2)


class _Conv(nn.Module):
    """A 3x3 convolution and a ReLU, padded as Keras does it: at stride 2 right and bottom alone."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.padding = (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1)
        self.conv = _glorot(nn.Conv2d(inputs, outputs, 3, stride))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(F.pad(x, self.padding)))


def _glorot(conv: nn.Conv2d) -> nn.Conv2d:
    """The convolution with Keras's first weights."""
    nn.init.xavier_uniform_(conv.weight)
    nn.init.zeros_(conv.bias)
    return conv
