"""Iizuka, Simo-Serra and Ishikawa 2016, "Let there be color!": fusion of global and local features."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorgan.nets.base import SceneNet
from colorgan.nets.blocks import crop_padding, pad_to_multiple


class Iizuka(SceneNet):
    """Fuses local features with global ones of the picture at a fixed size; predicts at half the resolution.

    The convolutions and linear layers for color have 42,169,826 parameters with two output channels, those of the scene
    classifier 184,013 with 205 classes. All convolutions but the last have batch normalization. Linear layers have
    none, so that training works with a batch of one picture. The paper subtracts the mean of the data from the input;
    this net subtracts 0.5.
    """

    def __init__(
        self,
        channels: int,
        classes: int | None = None,  # number of scenes; default: that of the data if system.scene_weight is set
        global_size: int = 224,  # side in pixels of the input of the global features
        width: int = 64,  # channels of the first layer; those of the others are proportional
    ):
        super().__init__()
        if global_size < 32 or global_size % 32:
            raise ValueError(f"global_size={global_size}: a multiple of 32")
        if width < 2:
            raise ValueError(f"width={width}: at least 2")
        w, self.global_size, self.classes = width, global_size, classes or 1
        self.low = _convs(1, (w, 2), (2 * w, 1), (2 * w, 2), (4 * w, 1), (4 * w, 2), (8 * w, 1))
        self.mid = _convs(8 * w, (8 * w, 1), (4 * w, 1))
        self.globe = nn.Sequential(_convs(8 * w, (8 * w, 2), (8 * w, 1), (8 * w, 2), (8 * w, 1)), nn.Flatten())
        pixels = (global_size // 32) ** 2
        self.dense = nn.Sequential(nn.Linear(8 * w * pixels, 16 * w), nn.ReLU(), nn.Linear(16 * w, 8 * w), nn.ReLU())
        self.globe_to_fusion = nn.Sequential(nn.Linear(8 * w, 4 * w), nn.ReLU())
        self.fusion = nn.Sequential(nn.Conv2d(8 * w, 4 * w, 1), nn.BatchNorm2d(4 * w), nn.ReLU())
        self.color = nn.Sequential(
            _convs(4 * w, (2 * w, 1)),
            nn.Upsample(scale_factor=2),
            _convs(2 * w, (w, 1), (w, 1)),
            nn.Upsample(scale_factor=2),
            _convs(w, (w // 2, 1)),
            nn.Conv2d(w // 2, channels, 3, 1, 1),
        )
        if self.classes > 1:
            self.scenes = nn.Sequential(nn.Linear(8 * w, 4 * w), nn.ReLU(), nn.Linear(4 * w, self.classes))

    def forward(self, L: Tensor) -> Tensor:
        """Map L (B, 1, H, W) in [0, 100] to (B, channels, ceil(H / 2), ceil(W / 2))."""
        return self._forward(L)[0]

    def forward_with_scenes(self, L: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output (B, channels, ceil(H / 2), ceil(W / 2)) and the logits (B, classes) of the scenes."""
        out, scene = self._forward(L)
        return out, self.scenes(scene)

    def _forward(self, L: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output of `forward` and the global features (B, 8 * width)."""
        x = L / 100 - 0.5
        low = self.low(pad_to_multiple(x, 8, min_multiples=2))
        shape = (self.global_size, self.global_size)
        if not torch.compiler.is_exporting() and x.shape[-2:] == shape:  # an exported graph takes any shape
            scene = self.dense(self.globe(low))
        else:
            scene = self.dense(self.globe(self.low(F.interpolate(x, shape, mode="bilinear", antialias=True))))
        mid = self.mid(low)
        tiled = self.globe_to_fusion(scene)[:, :, None, None].expand(-1, -1, *mid.shape[-2:])
        return crop_padding(self.color(self.fusion(torch.cat([tiled, mid], dim=1))), L, 2), scene


def _convs(inputs: int, *layers: tuple[int, int]) -> nn.Sequential:
    """Return 3x3 convolutions with batch normalization and ReLU, given (output channels, stride) of each."""
    modules: list[nn.Module] = []
    for outputs, stride in layers:
        modules += [nn.Conv2d(inputs, outputs, 3, stride, 1), _BatchNorm2d(outputs), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*modules)


class _BatchNorm2d(nn.BatchNorm2d):
    """Batch normalization that uses the running statistics where a channel has a single value, and thus no variance."""

    def forward(self, x: Tensor) -> Tensor:
        if x[:, 0].numel() > 1:
            return super().forward(x)
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
