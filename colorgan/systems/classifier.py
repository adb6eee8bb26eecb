"""Training of a scene classifier, to pre-train bodies of nets or to evaluate colorizers."""

from functools import partial
from typing import Any, ClassVar

import torch.nn.functional as F
from omegaconf import DictConfig
from torch import Tensor

from colorgan.color import split
from colorgan.metrics import hits
from colorgan.nets.bodies import make_body, standardize, standardize_rgb
from colorgan.systems.base import System


class Classifier(System):
    """Image classifier.

    Trained on lightness, it pre-trains the bodies of nets, as the ResNet-18 of Melas-Kyriazi and Han. Trained on color,
    it evaluates the results of colorizers: see `colorgan.evaluate`.

    Args:
        experiment: resolved experiment.
        pretrained: start from the published weights of the body.
        body: name of a timm network.
        classes: number of classes, 2 or more; by default that of the data.
        color: train on color instead of lightness.
        ema: decay of the averaged network.

    Attributes:
        names: names of the classes, in the order of the logits.

    Raises:
        ValueError: fewer than two classes.
    """

    monitor_modes: ClassVar = {"val/loss": "min", "val/top1": "max", "val/top5": "max"}
    default_monitor = "val/top1"

    def __init__(
        self,
        experiment: DictConfig,
        pretrained: bool,
        body: str = "resnet18",
        classes: int | None = None,
        color: bool = False,
        ema: float = 0.999,
    ):
        if classes is None or classes < 2:
            raise ValueError(f"classes={classes}: data.root needs a folder for each of two classes or more")
        channels = 3 if color else 1
        super().__init__(make_body(body, pretrained, num_classes=classes, channels=channels), experiment, ema)
        self.classes = classes
        self.color = color
        self.names: list[str] = []

    def forward(self, rgb: Tensor) -> Tensor:
        """Return logits (B, classes) of the averaged network for images (B, 3, H, W) in [0, 1]."""
        return self.average(self.normalize_input(rgb))

    def normalize_input(self, rgb: Tensor) -> Tensor:
        """Convert images (B, 3, H, W) in [0, 1] to the normalized input (B, 3, H, W), or (B, 1, H, W) without color."""
        cfg = self.model.pretrained_cfg
        return standardize_rgb(rgb, cfg) if self.color else standardize(split(rgb)[0], cfg)

    def features_and_logits(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Return penultimate features (B, F) and logits (B, classes) for images (B, 3, H, W) in [0, 1]."""
        maps = self.average.forward_features(self.normalize_input(rgb))
        return self.average.forward_head(maps, pre_logits=True), self.average.forward_head(maps)

    def train_batch(self, batch: dict[str, Tensor]) -> None:
        self.step_optimizer("generator", [partial(self.part_loss, *part) for part in self.split_batch(batch)])

    def part_loss(self, chunk: dict[str, Tensor], share: float) -> Tensor:
        """Return the loss of a part of a batch, times its share of the batch."""
        logits = self.call("generator", self.model, self.normalize_input(chunk["rgb"])).float()
        loss = F.cross_entropy(logits, chunk["label"])
        self.log_train({"loss": loss.detach(), "top1": 100 * hits(logits, chunk["label"], 1).mean()}, share)
        return share * loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Log the loss, and the top-1 and top-5 accuracy in percent."""
        logits = self(batch["rgb"]).float()
        loss = F.cross_entropy(logits, batch["label"], reduction="none")
        accuracy = {f"top{k}": 100 * hits(logits, batch["label"], k) for k in (1, 5)}
        self.log_validation({"loss": loss, **accuracy})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["classes"] = list(self.trainer.datamodule.classes)
