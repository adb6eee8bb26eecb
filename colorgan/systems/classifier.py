"""A classifier of gray scenes: pre-trains the bodies of colorizers where no published weights can be had."""

from typing import ClassVar

import torch.nn.functional as F
from omegaconf import DictConfig
from torch import Tensor

from colorgan.color import split
from colorgan.metrics import hits
from colorgan.nets.bodies import make_body, standardize
from colorgan.systems.training import System


class Classifier(System):
    """Learns the folders of the pictures from their lightness; source 001 trained its ResNet-18 so before its CNN."""

    better: ClassVar = {"val/loss": "min", "val/top1": "max", "val/top5": "max"}

    def __init__(
        self,
        experiment: DictConfig,
        pretrained: bool,
        body: str = "resnet18",  # any network of timm
        classes: int | None = None,  # default: those of the data
        ema: float = 0.999,  # decay of the averaged net
    ):
        if classes is None or classes < 2:
            raise ValueError(f"classes={classes}: data.root needs a folder for each of two classes or more")
        super().__init__(make_body(body, pretrained, num_classes=classes), experiment, ema)
        self.classes = classes

    def forward(self, L: Tensor) -> Tensor:
        """L (B, 1, H, W) in [0, 100] -> logits (B, classes), by the averaged net."""
        return self.ema(standardize(L, self.net.pretrained_cfg))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self.net(standardize(split(batch["rgb"])[0], self.net.pretrained_cfg)).float()
        loss = F.cross_entropy(logits, batch["label"])
        self.descend("generator", loss)
        self.log_train({"loss": loss.detach(), "top1": 100 * hits(logits, batch["label"], 1).mean()})

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Logs the accuracies in percent."""
        logits = self(split(batch["rgb"])[0]).float()
        loss = F.cross_entropy(logits, batch["label"], reduction="none")
        accuracy = {f"top{k}": 100 * hits(logits, batch["label"], k) for k in (1, 5)}
        self.log_validation({"loss": loss, **accuracy})
