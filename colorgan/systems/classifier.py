"""A classifier of scenes: of gray ones it pre-trains the bodies of colorizers, of colored ones it judges results."""

from typing import Any, ClassVar

import torch.nn.functional as F
from omegaconf import DictConfig
from torch import Tensor

from colorgan.color import split
from colorgan.metrics import hits
from colorgan.nets.bodies import make_body, standardize, standardize_rgb
from colorgan.systems.base import System


class Classifier(System):
    """Learns the folders of the pictures from their lightness; Melas-Kyriazi and Han trained their ResNet-18 so.

    With `color` it sees colored pictures, and judges what a colorizer makes of them: see `colorgan.evaluate`.
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
        """Pictures (B, 3, H, W) in [0, 1] -> logits (B, classes), by the averaged net."""
        return self.ema(self.see(rgb))

    def see(self, rgb: Tensor) -> Tensor:
        """What the net gets of rgb (B, 3, H, W) in [0, 1]."""
        cfg = self.net.pretrained_cfg
        return standardize_rgb(rgb, cfg) if self.color else standardize(split(rgb)[0], cfg)

    def look(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (B, 3, H, W) in [0, 1] -> the averaged net's last features (B, F), and the logits made of them."""
        net = self.ema.module
        maps = net.forward_features(self.see(rgb))
        return net.forward_head(maps, pre_logits=True), net.forward_head(maps)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self.net(self.see(batch["rgb"])).float()
        loss = F.cross_entropy(logits, batch["label"])
        self.descend("generator", loss)
        self.log_train({"loss": loss.detach(), "top1": 100 * hits(logits, batch["label"], 1).mean()})

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Logs the accuracies in percent."""
        logits = self(batch["rgb"]).float()
        loss = F.cross_entropy(logits, batch["label"], reduction="none")
        accuracy = {f"top{k}": 100 * hits(logits, batch["label"], k) for k in (1, 5)}
        self.log_validation({"loss": loss, **accuracy})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["classes"] = list(self.trainer.datamodule.classes)
