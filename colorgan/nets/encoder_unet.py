"""A U-Net whose encoder is a pretrained network of timm."""

import math
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorgan.nets.base import HintedNet
from colorgan.nets.blocks import conv_bn, crop_padding, pad_to_multiple, residual_stage
from colorgan.nets.bodies import make_encoder, standardize
from colorgan.nets.depthwise import use_float32_depthwise
from colorgan.nets.hint_attention import HEADS, HintAttention

HINT_SCALE = 20  # Lab units, about the deviation of colors: scaled as the output is, hints would be learned slowly
ATTENTION_REDUCTION = 8  # at which hints are attended to
DEEPEST_FACTOR = 4  # the decoder has at most this many times `width` channels


class EncoderUNet(HintedNet):
    """An encoder that has learned to recognize things, and a light decoder with skip connections.

    The encoder is a body of timm. From its deepest feature map the decoder doubles the resolution until that of the
    output; at each resolution it adds the feature map of the encoder, where there is one, and applies residual blocks.
    Hints enter the decoder at each resolution as the mean of their colors and their presence; at 1/8 of the size, their
    color is also carried by attention to places that look alike. Features of the encoder do not depend on hints.
    """

    def __init__(
        self,
        channels: int,
        pretrained: bool,
        weights: str | None = None,  # path of a checkpoint of our classifier, or of weights of timm, for the body
        body: str = "tf_efficientnet_lite0",  # name of a network of timm
        width: int = 64,  # channels of the decoder at the resolution of the output; twice as many at half of it
        blocks: int = 1,  # residual blocks of the decoder at each resolution
        depthwise: bool = False,  # depthwise separable convolutions in the decoder
        output_stride: int = 4,  # the output has 1/4 or 1/2 of the size of the picture
        statistics: Literal["kept", "trained"] = "trained",  # batch statistics of the body
        hints: bool = False,  # whether color hints are an input
    ):
        super().__init__()
        if output_stride not in (2, 4) or width < 1 or blocks < 1:
            raise ValueError(f"output_stride={output_stride}, width={width}, blocks={blocks}: 2 or 4, 1 or more, twice")
        if hints and width % HEADS:
            raise ValueError(f"width={width}: with hints, a multiple of {HEADS}")
        self.body = make_encoder(body, pretrained, weights)
        self.output_stride = output_stride
        self.statistics = statistics
        self.takes_hints = hints
        info = self.body.feature_info
        self.levels = {reduction: i for i, reduction in enumerate(info.reduction())}  # the deepest map of each
        reduction = self.deepest = max(self.levels)
        if not math.log2(reduction / output_stride).is_integer() or reduction < output_stride:
            raise ValueError(
                f"body={body}: doubling its maps of 1/{reduction} of the size never gives 1/{output_stride}"
            )
        inputs = info.channels()[self.levels[reduction]]
        self.up, self.skips, self.hints, self.stages = (nn.ModuleDict() for _ in range(4))
        while reduction >= output_stride:
            key, outputs = str(reduction), width * min(DEEPEST_FACTOR, reduction // output_stride)
            self.up[key] = nn.Sequential(*conv_bn(inputs, outputs, 1, 1))
            if reduction in self.levels and reduction < self.deepest:
                self.skips[key] = nn.Sequential(*conv_bn(info.channels()[self.levels[reduction]], outputs, 1, 1))
            if hints:
                self.hints[key] = nn.Conv2d(3, outputs, 3, padding=1, bias=False)
                if reduction == ATTENTION_REDUCTION:
                    self.attention = HintAttention(outputs)
            self.stages[key] = residual_stage(outputs, blocks, depthwise)
            inputs, reduction = outputs, reduction // 2
        self.head = nn.Conv2d(inputs, channels, 3, padding=1, padding_mode="replicate")
        nn.init.zeros_(self.head.weight)  # the first pictures are gray, not of random colors
        nn.init.zeros_(self.head.bias)
        use_float32_depthwise(self).to(memory_format=torch.channels_last)
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all modules; with `statistics=kept`, the body stays in evaluation mode."""
        super().train(mode)
        if self.statistics == "kept":
            self.body.eval()
        return self

    def forward(self, L: Tensor, hints: Tensor | None = None) -> Tensor:
        """Map lightness, and optionally color hints, to the input of a codec.

        Args:
            L: (B, 1, H, W) in [0, 100].
            hints: (B, 3, H, W), see `HintedNet`; default: none.

        Returns:
            (B, channels, h, w), where h and w are H and W divided by `output_stride` and rounded up.
        """
        maps = self.body(standardize(pad_to_multiple(L, self.deepest), self.body.pretrained_cfg))
        if self.takes_hints and hints is None and self.training:  # in several processes, all weights are used
            hints = L.new_zeros(len(L), 3, *L.shape[-2:])
        x, reduction = maps[self.levels[self.deepest]], self.deepest
        while reduction >= self.output_stride:
            key = str(reduction)
            x = self.up[key](x)
            if reduction < self.deepest:
                x = F.interpolate(x, scale_factor=2.0, mode="bilinear")
            if key in self.skips:
                x = x + self.skips[key](maps[self.levels[reduction]])
            if not self.takes_hints or hints is None:
                x = F.relu(x)
            else:
                pooled = _pool_hints(hints, reduction, x.shape[-2:])
                x = F.relu(x + self.hints[key](pooled))
                if reduction == ATTENTION_REDUCTION:
                    x = self.attention(x, pooled[:, :2], pooled[:, 2:])
            x = self.stages[key](x)
            reduction //= 2
        return crop_padding(self.head(x), L, self.output_stride)


def _pool_hints(hints: Tensor, reduction: int, shape: torch.Size) -> Tensor:
    """Return the mean color of the hints in each square of `reduction` pixels, and whether there are any."""
    height, width = (reduction * side for side in shape)
    padded = F.pad(hints, (0, width - hints.shape[-1], 0, height - hints.shape[-2]))
    mean = F.avg_pool2d(padded, reduction)
    share = mean[:, 2:]
    return torch.cat([mean[:, :2] / share.clamp(min=1e-6) / HINT_SCALE, (share > 0).to(mean.dtype)], dim=1)
