"""Training with the codec's color loss, without a discriminator."""

from functools import partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from torch import Tensor

from colorgan.color import split
from colorgan.colorizer.colorizer import Colorizer
from colorgan.metrics import hits
from colorgan.nets.base import SceneNet, SparseNet
from colorgan.systems.colorization import Colorization


class Supervised(Colorization):
    """Training with the codec's color loss, and optionally a loss of scene classification.

    For CNN systems, and for the baseline of a GAN (Nazeri 2018, section 4.2).

    Args:
        colorizer: model to train.
        experiment: resolved experiment.
        scene_weight: weight of the cross entropy of scenes, 0 or above; alpha in Iizuka 2016. Needs a `SceneNet`.
        ema: decay of the averaged colorizer.
        hint_share: share of the training pictures that get color hints, for nets that take them.

    Raises:
        ValueError: `scene_weight` is negative, or the net does not classify scenes.
    """

    monitor_modes: ClassVar = Colorization.monitor_modes | {"val/scene_top1": "max"}
    default_monitor = "val/ab_error"

    def __init__(
        self,
        colorizer: Colorizer,
        experiment: DictConfig,
        scene_weight: float = 0.0,
        ema: float = 0.999,
        hint_share: float = 0.0,
    ):
        super().__init__(colorizer, experiment, ema, hint_share)
        net = colorizer.net
        if scene_weight and not isinstance(net, SceneNet):
            raise ValueError("only the net 'iizuka' classifies scenes: set system.scene_weight=0 for others")
        if scene_weight < 0:
            raise ValueError(f"scene_weight={scene_weight}: must be at least 0")
        self.scene_weight = scene_weight if scene_weight and net.classes > 1 else 0.0

    def train_batch(self, batch: dict[str, Tensor]) -> None:
        self.step_optimizer("generator", [partial(self.part_loss, *part) for part in self.split_batch(batch)])

    def part_loss(self, chunk: dict[str, Tensor], share: float) -> Tensor:
        """Return the loss of a part of a batch, times its share of the batch."""
        L, ab = split(chunk["rgb"])
        net = self.model.net
        losses: dict[str, Tensor] = {}
        if self.scene_weight:
            out, logits = self.call("generator", net.forward_with_scenes, L)
            losses["scene_loss"] = F.cross_entropy(logits.float(), chunk["label"])
        elif isinstance(net, SparseNet):
            points = draw_points(L, net.points)
            out = self.call("generator", net.forward_at, L, points)
            L, ab = gather_pixels(L, points), gather_pixels(ab, points)
        else:
            out = self.call("generator", self.model.run_net, self.conditions(L, ab, chunk))
        losses["color_loss"] = self.model.codec.loss(out, L, ab)
        self.log_train({key: loss.detach() for key, loss in losses.items()}, share)
        return share * (losses["color_loss"] + self.scene_weight * losses.get("scene_loss", 0.0))

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Log the top-1 accuracy of scenes in percent, too, if they are trained."""
        super().validation_step(batch, batch_idx)
        if self.scene_weight:
            _, logits = self.average.net.forward_with_scenes(split(batch["rgb"])[0])
            self.log_validation({"scene_top1": 100 * hits(logits, batch["label"], 1)})


def draw_points(L: Tensor, n: int) -> Tensor:
    """Draw random pixel positions for each image, with replacement.

    Args:
        L: images (B, 1, H, W).
        n: number of pixels per image.

    Returns:
        rows and columns (B, n, 2).
    """
    rows, columns = (torch.randint(side, (len(L), n), device=L.device) for side in L.shape[-2:])
    return torch.stack([rows, columns], dim=2)


def gather_pixels(x: Tensor, points: Tensor) -> Tensor:
    """Return the pixels (B, C, 1, n) of x (B, C, H, W) at the rows and columns points (B, n, 2)."""
    index = points[..., 0] * x.shape[-1] + points[..., 1]  # (B, n)
    return x.flatten(2).gather(2, index[:, None].expand(-1, x.shape[1], -1))[:, :, None]
