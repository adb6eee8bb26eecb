"""Base class of the systems that train a colorizer: data-dependent initialization, conditions and validation."""

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from colorgan.color import join, split
from colorgan.colorizer.colorizer import Colorizer, Conditions
from colorgan.hints import draw_hints
from colorgan.metrics import ab_error, ab_histogram, colorfulness, histogram_distance, psnr
from colorgan.nets.base import EmbeddingNet, HintedNet
from colorgan.nets.bodies import hash_weights
from colorgan.systems.base import System
from colorgan.systems.embeddings import Embeddings
from colorgan.transfer import to_device

log = logging.getLogger(__name__)


class Colorization(System):
    """Base class of the systems that train a colorizer.

    Args:
        colorizer: model to train.
        experiment: resolved experiment.
        ema: decay of the averaged colorizer, which is validated and used.
        hint_share: share of the training pictures that get color hints, in [0, 1]; above 0 for a `HintedNet` alone.

    Raises:
        ValueError: `hint_share` is out of range, or the net takes no hints.
    """

    monitor_modes: ClassVar = {"val/ab_error": "min", "val/psnr": "max", "val/color_distance": "min"}

    model: Colorizer

    def __init__(self, colorizer: Colorizer, experiment: DictConfig, ema: float, hint_share: float):
        super().__init__(colorizer, experiment, ema)
        if not 0 <= hint_share <= 1:
            raise ValueError(f"hint_share={hint_share}: a share of the pictures, from 0 to 1")
        takes_hints = isinstance(colorizer.net, HintedNet) and colorizer.net.takes_hints
        if takes_hints and not hint_share:
            log.warning("net.hints=true with system.hint_share=0: the net does not learn what hints mean")
        if hint_share and not takes_hints:
            raise ValueError(f"hint_share={hint_share}: needs net=encoder_unet with net.hints=true")
        self.hint_share = hint_share
        self.embeddings: Embeddings | None = None
        self._color_counts: Tensor | float = 0.0  # histograms of predicted and true color (2, bins), in validation

    def networks(self) -> dict[str, tuple[nn.Module, float]]:
        return {"generator": (self.model.net, 1.0)}

    def forward(self, L: Tensor) -> Tensor:
        """Predict ab (B, 2, H, W) in Lab units from L (B, 1, H, W) in [0, 100] with the averaged colorizer."""
        return self.average(L)

    def conditions(self, L: Tensor, ab: Tensor, batch: dict[str, Tensor]) -> Conditions:
        """Return the inputs of the net for a training batch with lightness L (B, 1, H, W) and color ab (B, 2, H, W)."""
        if self.hint_share:
            return Conditions(L, hints=draw_hints(ab, self.hint_share))
        if self.embeddings is None:
            return Conditions(L)
        embeddings = self.embeddings.lookup(batch["host_index"], lambda missing: self.model.net.embed(L[missing]))
        return Conditions(L, to_device(embeddings, L.device))

    def initialize(self, batches: Iterator[dict[str, Tensor]]) -> None:
        """Initialize the net from the lightness of the first batch, and the codec from the colors of all batches."""
        first = next(batches)
        self.model.net.initialize(split(first["rgb"])[0])
        self.model.codec.initialize(split(batch["rgb"])[1] for batch in itertools.chain([first], batches))
        self.average.load_state_dict(self.model.state_dict())

    def on_fit_start(self) -> None:
        """Open the cache for the embeddings of a frozen network, if images are neither augmented nor replaced."""
        data, net = self.experiment.data, self.model.net
        is_unchanged = not data.flip and data.smallest_crop == 1 and not data.aging and not data.near_gray
        if isinstance(net, EmbeddingNet) and is_unchanged:
            content = self.trainer.datamodule.fingerprint() + hash_weights(net.body)
            path = Path(self.experiment.run_dir) / "embeddings" / f"{content}-{self.global_rank}.npy"
            self.embeddings = Embeddings(path, self.trainer.datamodule.train_count, net.embedding_width)

    def on_validation_epoch_start(self) -> None:
        self._color_counts = 0.0

    def on_validation_epoch_end(self) -> None:
        """Log the distance between the distributions of predicted and true colors."""
        counts = self.trainer.strategy.reduce(self._color_counts, reduce_op="sum")
        self.log("val/color_distance", histogram_distance(*counts))

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Log metrics of the averaged colorizer, those of gray images, and the colorfulness of the true images."""
        rgb = batch["rgb"]
        L, true_ab = split(rgb)
        ab, gray = self(L), torch.zeros_like(true_ab)
        colored = join(L, ab)
        self._color_counts += torch.stack([ab_histogram(split(colored)[1]), ab_histogram(true_ab)])
        self.log_validation(
            {
                "ab_error": ab_error(ab, true_ab),
                "psnr": psnr(colored, rgb),
                "colorfulness": colorfulness(colored),
                "gray_ab_error": ab_error(gray, true_ab),
                "gray_psnr": psnr(join(L, gray), rgb),
                "true_colorfulness": colorfulness(rgb),
            }
        )
