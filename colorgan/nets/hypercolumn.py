"""Larsson, Maire and Shakhnarovich 2016, "Learning representations for automatic colorization"."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorgan.nets.base import SparseNet
from colorgan.nets.blocks import crop_padding, pad_to_multiple
from colorgan.nets.bodies import make_vgg, standardize, vgg_stages
from colorgan.nets.initialization import scale_layers


class Hypercolumn(SparseNet):
    """A VGG-16 and a head on hypercolumns, the 12,417 activations of all layers at the location of a pixel.

    Training uses `points` random pixels of each picture (`forward_at`); inference predicts all pixels at a quarter of
    the resolution (`forward`). As a 1x1 convolution and resizing commute, the first layer of the head is applied at
    each resolution, and the results are resized and added. The hypercolumns of a whole picture are thus never in
    memory. 147,041,024 parameters with 64 output channels.
    """

    def __init__(
        self,
        channels: int,
        pretrained: bool,
        weights: str | None = None,  # path of a checkpoint of our classifier, or of weights of timm, for the vgg16
        points: int = 128,  # training pixels of each picture
        dropout: float = 0.5,  # of the head
        width: int = 64,  # channels of the first layer; those of the others are proportional
    ):
        super().__init__()
        if points < 1 or width < 1:
            raise ValueError(f"points={points}, width={width}: at least one each")
        self.points = points
        body = make_vgg("vgg16", width, pretrained, weights)
        self.stages = vgg_stages(body)
        self.fc6, self.fc7 = _UnfoldConv2d(body.pre_logits.fc1), body.pre_logits.fc2
        self.dropout = nn.Dropout(dropout)
        sizes = [1 + 2 * width, 4 * width, 12 * width, 24 * width, 24 * width, 128 * width]
        self.first = nn.ModuleList(nn.Conv2d(size, 16 * width, 1, bias=i == 0) for i, size in enumerate(sizes))
        self.head = nn.Conv2d(16 * width, channels, 1)

    def initialize(self, L: Tensor) -> None:
        """Scale the layers to outputs of mean square 1 on L (B, 1, H, W) in [0, 100], as the paper does."""
        scale_layers([*(m for m in self.stages.modules() if isinstance(m, nn.Conv2d)), self.fc6, self.fc7], self, L)

    def forward(self, L: Tensor) -> Tensor:
        """Map L (B, 1, H, W) in [0, 100] to (B, channels, ceil(H / 4), ceil(W / 4))."""
        maps = self._feature_maps(L)
        shape = maps[2].shape[-2:]
        large = sum(self.first[i](F.avg_pool2d(maps[i], 4 >> i)) for i in range(3))
        small = sum(F.interpolate(self.first[i](maps[i]), shape, mode="bilinear") for i in range(3, 6))
        return crop_padding(self._predict(large + small), L, 4)

    def forward_at(self, L: Tensor, points: Tensor) -> Tensor:
        """Return the output at the given pixels, (B, channels, 1, N).

        Args:
            L: (B, 1, H, W) in [0, 100].
            points: (B, N, 2), the row and column of each pixel.
        """
        height, width = pad_to_multiple(L, 32).shape[-2:]
        row, column = points.unbind(2)
        # x, y in [-1, 1]; float32 also under autocast, because bfloat16 is too coarse
        grid = torch.stack([(2 * column + 1) / width - 1, (2 * row + 1) / height - 1], dim=2)
        columns = (
            first(F.grid_sample(x, grid[:, None], padding_mode="border", align_corners=False))
            for first, x in zip(self.first, self._feature_maps(L), strict=True)
        )
        return self._predict(sum(columns))

    def _feature_maps(self, L: Tensor) -> list[Tensor]:
        """Return the concatenated layers of each resolution, from 1 to 1/32 of that of L, (B, C, h, w) each."""
        x = pad_to_multiple(standardize(L), 32)
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

    def _predict(self, first: Tensor) -> Tensor:
        """Map the output (B, 16 * width, h, w) of the first layer of the head to (B, channels, h, w)."""
        return self.head(self.dropout(F.relu(first)))


class _UnfoldConv2d(nn.Module):
    """Computes a convolution with "same" padding by unfolding and a matrix product.

    For the few pixels of a small picture, the backward pass is eight times as fast on a CPU as that of `nn.Conv2d`.

    Args:
        conv: its weight and bias are shared.
    """

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias

    def forward(self, x: Tensor) -> Tensor:
        kernel_size = self.weight.shape[-1]
        columns = F.unfold(x, kernel_size, padding=kernel_size // 2)  # (B, inputs * kernel_size**2, H * W)
        out = self.weight.flatten(1) @ columns + self.bias[:, None]
        return out.unflatten(2, x.shape[-2:])
