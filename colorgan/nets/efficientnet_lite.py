"""EfficientNet-Lite0 (Tan and Le 2019; Liu 2020) as an encoder, without timm.

The released generator has this body, and importing timm takes longer than coloring a photograph. Weights have the names
and shapes of timm's `tf_efficientnet_lite0` with `features_only`.
"""

import math

import torch.nn.functional as F
from torch import Tensor, nn

NAME = "tf_efficientnet_lite0"  # in timm
STEM = 32  # channels
# Of each stage: blocks, kernel size, stride of the first block, expansion, channels (table 1 of Tan and Le 2019).
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class FeatureInfo:
    """What the feature maps are, as timm says it."""

    def __init__(self, channels: list[int], reduction: list[int]):
        self._channels, self._reduction = channels, reduction

    def channels(self) -> list[int]:
        """Return the number of channels of each map."""
        return self._channels

    def reduction(self) -> list[int]:
        """Return by what each map is smaller than the picture."""
        return self._reduction


class SameConv(nn.Conv2d):
    """Convolution whose output has 1 / stride of the size, padded as TensorFlow does: the odd pixel at the end."""

    def forward(self, x: Tensor) -> Tensor:
        totals = [
            max((size - 1) // stride * stride + kernel - size, 0)
            for size, kernel, stride in zip(x.shape[-2:], self.kernel_size, self.stride, strict=True)
        ]
        if any(total % 2 for total in totals):
            height, width = totals
            x = F.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2))
            totals = (0, 0)
        padding = tuple(total // 2 for total in totals)  # the convolution pads evenly without a copy
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Block(nn.Module):
    """Depthwise separable convolution, or inverted residual where `expansion` is above 1."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        inner = inputs * expansion
        if expansion > 1:
            self.conv_pw, self.bn1 = SameConv(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner, eps=1e-3)
            names = ("conv_dw", "bn2", "conv_pwl", "bn3")
        else:
            names = ("conv_dw", "bn1", "conv_pw", "bn2")
        depthwise = SameConv(inner, inner, kernel, stride, groups=inner, bias=False)
        projection = SameConv(inner, outputs, 1, bias=False)
        layers = depthwise, nn.BatchNorm2d(inner, eps=1e-3), projection, nn.BatchNorm2d(outputs, eps=1e-3)
        for name, layer in zip(names, layers, strict=True):
            self.add_module(name, layer)
        self.has_shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        layers = list(self.children())
        out = x
        for conv, norm in zip(layers[::2], layers[1::2], strict=True):
            out = norm(conv(out))
            if norm is not layers[-1]:
                out = F.relu6(out, inplace=True)
        return out + x if self.has_shortcut else out


class EfficientNetLite0(nn.Module):
    """The feature maps of EfficientNet-Lite0 at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size, for gray pictures."""

    pretrained_cfg = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.conv_stem, self.bn1 = SameConv(1, STEM, 3, 2, bias=False), nn.BatchNorm2d(STEM, eps=1e-3)
        self.blocks, inputs, reduction, maps = nn.Sequential(), STEM, 2, {}
        for i, (count, kernel, stride, expansion, outputs) in enumerate(STAGES):
            blocks = []
            for j in range(count):
                blocks.append(Block(inputs, outputs, kernel, stride if j == 0 else 1, expansion))
                inputs = outputs
            self.blocks.append(nn.Sequential(*blocks))
            reduction *= stride
            maps[reduction] = i, outputs  # the last stage of each size
        self.taken = {i for i, _ in maps.values()}
        self.feature_info = FeatureInfo([channels for _, channels in maps.values()], list(maps))
        for conv in self.modules():
            if isinstance(conv, nn.Conv2d):
                fan_out = math.prod(conv.kernel_size) * conv.out_channels // conv.groups
                nn.init.normal_(conv.weight, 0, math.sqrt(2 / fan_out))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Compute the feature maps of (B, 1, H, W), (B, C, H / r, W / r) for each reduction r, rounded up."""
        x, maps = F.relu6(self.bn1(self.conv_stem(x)), inplace=True), []
        for i, stage in enumerate(self.blocks):
            x = stage(x)
            if i in self.taken:
                maps.append(x)
        return maps
