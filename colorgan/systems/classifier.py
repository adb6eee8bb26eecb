"""A scene classifier: on gray pictures it pre-trains bodies of nets, on colored ones it judges results."""

from typing import Any, ClassVar

import torch.nn.functional as F
from omegaconf import DictConfig
from torch import Tensor

from colorgan.color import split
from colorgan.metrics import hits
from colorgan.nets.bodies import make_body, standardize, standardize_rgb
from colorgan.systems.base import System


class Classifier(System):
    """Learns the classes of pictures from their lightness, as Melas-Kyriazi and Han trained their ResNet-18.

    With `color` it sees colored pictures, and judges the results of colorizers: see `colorgan.evaluate`.
    """

    better: ClassVar = {"val/loss": "min", "val/top1": "max", "val/top5": "max"}

    def __init__(
        self,
        experiment: DictConfig,
        pretrained: bool,
        body: str = "resnet18",  # any network of timm
        classes: int | None = None,  # default: those of the data
        color: bool = False,  # sees color too
        ema: float = 0.999,  # decay of the averaged net
    ):
        if classes is None or classes < 2:
            raise ValueError(f"classes={classes}: data.root needs a folder for each of two classes or more")
        channels = 3 if color else 1
        super().__init__(make_body(body, pretrained, num_classes=classes, channels=channels), experiment, ema)
        self.classes = classes
        self.color = color
        self.names: list[str] = []  # of the classes, in the order of the logits

    def forward(self, rgb: Tensor) -> Tensor:
        """Map pictures (B, 3, H, W) in [0, 1] to logits (B, classes), by the averaged network."""
        return self.average(self.normalize_input(rgb))

    def normalize_input(self, rgb: Tensor) -> Tensor:
        """Return the input of the network, (B, 3 or 1, H, W), for pictures (B, 3, H, W) in [0, 1]."""
        cfg = self.model.pretrained_cfg
        return standardize_rgb(rgb, cfg) if self.color else standardize(split(rgb)[0], cfg)

    def features_and_logits(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last features (B, F) of pictures (B, 3, H, W) in [0, 1], and their logits (B, classes)."""
        maps = self.average.forward_features(self.normalize_input(rgb))
        return self.average.forward_head(maps, pre_logits=True), self.average.forward_head(maps)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self.model(self.normalize_input(batch["rgb"])).float()
        loss = F.cross_entropy(logits, batch["label"])
        self.step_optimizer("generator", loss)
        self.log_train({"loss": loss.detach(), "top1": 100 * hits(logits, batch["label"], 1).mean()})

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Log the accuracies in percent."""
        logits = self(batch["rgb"]).float()
        loss = F.cross_entropy(logits, batch["label"], reduction="none")
        accuracy = {f"top{k}": 100 * hits(logits, batch["label"], k) for k in (1, 5)}
        self.log_validation({"loss": loss, **accuracy})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["classes"] = list(self.trainer.datamodule.classes)
