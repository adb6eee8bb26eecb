"""Larsson, Maire and Shakhnarovich 2016, "Learning representations for automatic colorization"."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorgan.nets.base import SparseNet
from colorgan.nets.blocks import crop_to, pad_up
from colorgan.nets.bodies import make_vgg, standardize, vgg_stages
from colorgan.nets.initialization import scale_layers


class Hypercolumn(SparseNet):
    """Colors a pixel by the values of all layers of a VGG-16 at its place: 12,417 of them.

    It trains on `points` random pixels of a picture (`forward_at`), and predicts all pixels at a quarter of the size
    (`forward`). The first layer of the head is a sum over resolutions: a 1x1 convolution and a resizing can change
    places, so that no hypercolumn of a whole picture is ever in memory. 147,041,024 parameters with 64 output channels.
    """

    def __init__(
        self,
        channels: int,
        pretrained: bool,
        weights: str | None = None,  # a checkpoint of our classifier, or a file of timm's weights, for the vgg16
        points: int = 128,  # pixels of a picture that it trains on
        dropout: float = 0.5,
        width: int = 64,  # channels of the first layer; the others scale with it
    ):
        super().__init__()
        if points < 1 or width < 1:
            raise ValueError(f"points={points}, width={width}: at least one each")
        self.points = points
        body = make_vgg("vgg16", width, pretrained, weights)
        self.stages = vgg_stages(body)
        self.fc6, self.fc7 = _AsProduct(body.pre_logits.fc1), body.pre_logits.fc2
        self.dropout = nn.Dropout(dropout)
        sizes = [1 + 2 * width, 4 * width, 12 * width, 24 * width, 24 * width, 128 * width]
        self.first = nn.ModuleList(nn.Conv2d(size, 16 * width, 1, bias=i == 0) for i, size in enumerate(sizes))
        self.head = nn.Conv2d(16 * width, channels, 1)

    def initialize(self, L: Tensor) -> None:
        """Scale the layers on L (B, 1, H, W) in [0, 100] to outputs of mean square 1, as the paper does."""
        scale_layers([*(m for m in self.stages.modules() if isinstance(m, nn.Conv2d)), self.fc6, self.fc7], self, L)

    def forward(self, L: Tensor) -> Tensor:
        """L (B, 1, H, W) in [0, 100], any H and W -> (B, channels, H/4, W/4), rounded up, linear."""
        maps = self._maps(L)
        shape = maps[2].shape[-2:]
        large = sum(self.first[i](F.avg_pool2d(maps[i], 4 >> i)) for i in range(3))
        small = sum(F.interpolate(self.first[i](maps[i]), shape, mode="bilinear") for i in range(3, 6))
        return crop_to(self._finish(large + small), L, 4)

    def forward_at(self, L: Tensor, points: Tensor) -> Tensor:
        """The output (B, channels, 1, N) at pixels `points` (B, N, 2), row and column, of L (B, 1, H, W)."""
        padded = pad_up(L, 32).shape[-2:]
        grid = (2 * points.flip(2) + 1) / L.new_tensor(padded[::-1]) - 1  # x, y in [-1, 1]; too coarse in bfloat16
        columns = (
            first(F.grid_sample(x, grid[:, None], padding_mode="border", align_corners=False))
            for first, x in zip(self.first, self._maps(L), strict=True)
        )
        return self._finish(sum(columns))

    def _maps(self, L: Tensor) -> list[Tensor]:
        """The layers of each resolution, from the picture's own to a 32nd of it, (B, C, h, w) each."""
        x = pad_up(standardize(L), 32)
        maps = []
        for i, stage in enumerate(self.stages):
            x = F.max_pool2d(x, 2) if i else x
            layers = [] if i else [x]
            for conv, relu in zip(stage[::2], stage[1::2], strict=True):
                x = relu(conv(x))
                layers.append(x)
            maps.append(torch.cat(layers, dim=1))
        fc6 = self.dropout(F.relu(self.fc6(F.max_pool2d(x, 2))))
        fc7 = self.dropout(F.relu(self.fc7(fc6)))
        return [*maps, torch.cat([fc6, fc7], dim=1)]

    def _finish(self, first: Tensor) -> Tensor:
        return self.head(self.dropout(F.relu(first)))


class _AsProduct(nn.Module):
    """A convolution, padded to keep the size, as one matrix product.

    On the few pixels of a small picture a CPU takes eight times as long for the backward of the convolution itself.
    """

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias

    def forward(self, x: Tensor) -> Tensor:
        size = self.weight.shape[-1]
        columns = F.unfold(x, size, padding=size // 2)  # (B, inputs * size * size, H * W)
        out = self.weight.flatten(1) @ columns + self.bias[:, None]
        return out.unflatten(2, x.shape[-2:])
