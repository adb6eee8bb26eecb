"""Deep Koalarization (Baldassarre, González Morín and Rodés-Guirao 2017)."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorgan.nets.base import EmbeddingNet
from colorgan.nets.blocks import crop_padding, pad_to_multiple
from colorgan.nets.bodies import FrozenBody, make_body, standardize


class Koala(FrozenBody, EmbeddingNet):
    """An encoder and a decoder, with the embedding of the picture by a frozen classifier fused between them.

    6,574,050 trained parameters with the embedding of the paper, which has 1001 values, and two output channels. The
    last layer of the paper, which doubles the size by nearest-neighbor upsampling, is omitted.
    """

    def __init__(
        self,
        channels: int,
        pretrained: bool,
        body: str = "inception_resnet_v2",  # name of a network of timm
        weights: str | None = None,  # path of a checkpoint of our classifier, or of weights of timm, for the body
        embedding: Literal["logits", "features"] = "logits",  # features: the input of the classifier of the body
        logits: int = 1000,  # number of classes of the body
        body_size: int = 299,  # side in pixels of the input of the body
        width: int = 64,  # channels of the first layer; those of the others are proportional
    ):
        super().__init__()
        if pretrained and not weights and embedding == "logits" and logits != 1000:
            raise ValueError(f"logits={logits}: published weights have 1000 classes")
        self.body = make_body(body, pretrained, weights, num_classes=logits if embedding == "logits" else 0)
        self.body.requires_grad_(False).eval()
        self.body_size = body_size
        self.embedding_width = logits if embedding == "logits" else self.body.head_hidden_size
        sizes = [1, 1, 2, 2, 4, 4, 8, 8, 4]  # channels in units of `width`; the first entry stands for the gray input
        strides = [2, 1, 2, 1, 2, 1, 1, 1]
        pairs = zip(sizes, sizes[1:], strides, strict=False)
        self.encoder = nn.Sequential(
            *(_ConvReLU(1 if i == 0 else width * a, width * b, stride) for i, (a, b, stride) in enumerate(pairs))
        )
        self.fusion = _init_glorot(nn.Conv2d(4 * width + self.embedding_width, 4 * width, 1))
        self.decoder = nn.Sequential(
            _ConvReLU(4 * width, 2 * width),
            nn.Upsample(scale_factor=2),
            _ConvReLU(2 * width, width),
            _ConvReLU(width, width),
            nn.Upsample(scale_factor=2),
            _ConvReLU(width, width // 2),
        )
        self.head = _init_glorot(nn.Conv2d(width // 2, channels, 3, 1, 1))

    def embed(self, L: Tensor) -> Tensor:
        """Return the embeddings (B, embedding_width) of L (B, 1, H, W) in [0, 100], without gradient."""
        with torch.no_grad():
            small = F.interpolate(L, (self.body_size, self.body_size), mode="bilinear", antialias=True)
            return self.body(standardize(small, self.body.pretrained_cfg))

    def forward(self, L: Tensor, embedding: Tensor | None = None) -> Tensor:
        """Map lightness and its embedding to the input of a codec.

        Args:
            L: (B, 1, H, W) in [0, 100].
            embedding: (B, embedding_width); default: `embed(L)`.

        Returns:
            (B, channels, ceil(H / 2), ceil(W / 2)).
        """
        embedding = self.embed(L) if embedding is None else embedding
        x = self.encoder(pad_to_multiple(L / 50 - 1, 8))
        tiled = embedding.to(x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[-2:])
        x = F.relu(self.fusion(torch.cat([x, tiled], dim=1)))
        return crop_padding(self.head(self.decoder(x)), L, 2)


class _ConvReLU(nn.Module):
    """A 3x3 convolution with the padding of Keras, at stride 2 only right and bottom, and a ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.padding = (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1)
        self.conv = _init_glorot(nn.Conv2d(inputs, outputs, 3, stride))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(F.pad(x, self.padding)))


def _init_glorot(conv: nn.Conv2d) -> nn.Conv2d:
    """Initialize a convolution as Keras does."""
    nn.init.xavier_uniform_(conv.weight)
    nn.init.zeros_(conv.bias)
    return conv
