"""What every colorizer shares: how it trains on a batch, how it is validated, and how it colors."""

import itertools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from torch import Tensor, nn

from colorgan.color import join, split
from colorgan.colorizer.upsampling import UPSAMPLERS, Upsampler
from colorgan.imaging import images
from colorgan.metrics import ab_error, colorfulness, psnr
from colorgan.nets.bodies import digest
from colorgan.systems.base import System
from colorgan.systems.embeddings import Embeddings

LONGEST = 16  # a picture is predicted at no more than so many times the short side, however long it is


class Colorizer(System):
    """A net and a codec that learn to color."""

    better: ClassVar = {"val/ab_error": "min", "val/psnr": "max"}

    def __init__(self, net: nn.Module, codec: nn.Module, experiment: DictConfig, ema: float):
        super().__init__(net, experiment, ema)
        self.codec = codec
        self.embeddings: Embeddings | None = None

    def forward(self, L: Tensor) -> Tensor:
        """L (B, 1, H, W) in [0, 100] -> ab (B, 2, H, W) in Lab units, by the averaged net."""
        return self.decode(self.ema(L), L)

    def decode(self, out: Tensor, L: Tensor) -> Tensor:
        """A net's output and L (B, 1, H, W) -> ab (B, 2, H, W) in Lab units."""
        ab = self.codec.decode(out, L)
        return ab if ab.shape[-2:] == L.shape[-2:] else F.interpolate(ab, L.shape[-2:], mode="bilinear")

    def predict(self, L: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """L (B, 1, H, W) of a training batch -> the output of the net that is trained."""
        if self.embeddings is None:
            return self.net(L)
        return self.net(L, self.embeddings.lookup(batch["index"], lambda missing: self.net.embed(L[missing])))

    def look_at(self, batches: Iterator[dict[str, Tensor]]) -> None:
        """Lets a net fit its first weights to lightness, and a codec measure the colors, where they ask for it."""
        if hasattr(self.net, "prepare"):
            first = next(batches)
            self.net.prepare(split(first["rgb"])[0])
            self.ema.module.load_state_dict(self.net.state_dict())
            batches = itertools.chain([first], batches)
        if hasattr(self.codec, "prepare"):
            self.codec.prepare(split(batch["rgb"])[1] for batch in batches)

    def on_fit_start(self) -> None:
        """Opens the cache of a net's frozen embedding, if each picture looks the same in every epoch."""
        data = self.experiment.data
        if hasattr(self.net, "embed") and not data.flip and data.smallest_crop == 1:
            content = self.trainer.datamodule.fingerprint() + digest(self.net.body)
            path = Path(self.experiment.run_dir) / "embeddings" / f"{content}-{self.global_rank}.npy"
            self.embeddings = Embeddings(path, self.trainer.datamodule.train_count, self.net.embedding_width)

    def paint(
        self,
        pictures: list[Tensor],
        size: int | None = None,
        upsample: Upsampler = "guided",
        saturation: float = 1.0,
    ) -> list[Tensor]:
        """Colors pictures of any sizes; each keeps its own lightness at its own size.

        Args:
            pictures: (3, H, W) each, sRGB in [0, 1]; only their lightness is used.
            size: short side in pixels at which color is predicted; default: the size the model was trained at.
            upsample: how color comes to the size of the picture; `guided` keeps it within edges.
            saturation: a factor of the chroma; what sRGB cannot hold stops at its edge.

        Returns:
            (3, H, W) each, sRGB in [0, 1], on the CPU.
        """
        size = size or self.experiment.data.size
        lightness = [split(picture[None].to(self.device))[0] for picture in pictures]
        groups = defaultdict(list)  # pictures of one shape at the model's size are one batch
        for i, L in enumerate(lightness):
            groups[_shrunk(L.shape[-2:], size)].append(i)
        painted: dict[int, Tensor] = {}
        with torch.inference_mode():
            for shape, members in groups.items():
                seen = torch.cat([F.interpolate(lightness[i], shape, mode="bilinear", antialias=True) for i in members])
                predicted = self.codec.decode(self.ema(seen), seen)
                seen = F.interpolate(seen, predicted.shape[-2:], mode="area")
                for k, i in enumerate(members):
                    ab = UPSAMPLERS[upsample](predicted[k, None], seen[k, None], lightness[i])
                    painted[i] = join(lightness[i], saturation * ab)[0].cpu()
        return [painted[i] for i in range(len(pictures))]

    def colorize(
        self, image: Any, size: int | None = None, upsample: Upsampler = "guided", saturation: float = 1.0
    ) -> Any:
        """Colors one picture, or a batch of tensors; what goes in comes out.

        Args:
            image: a PIL image, an array (H, W[, 1|3|4]) or a tensor ([B,] 1|3, H, W), 8-bit, 16-bit or in [0, 1].
            size: as in `paint`, and so are `upsample` and `saturation`.
            upsample: how color comes to the size of the picture.
            saturation: a factor of the chroma.

        Returns:
            the same type and value range with three color channels, and its alpha if it had one.

        Raises:
            UserError: another type or shape.
        """
        pictures, restore = images.unpack(image)
        return restore(self.paint(pictures, size, upsample, saturation))

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Logs the errors of the averaged net, with those of plain gray and the truth's colorfulness to compare."""
        rgb = batch["rgb"]
        L, truth = split(rgb)
        ab = self(L)
        gray = torch.zeros_like(truth)
        painted = join(L, ab)
        values = {
            "ab_error": ab_error(ab, truth),
            "psnr": psnr(painted, rgb),
            "colorfulness": colorfulness(painted),
            "gray_ab_error": ab_error(gray, truth),
            "gray_psnr": psnr(join(L, gray), rgb),
            "true_colorfulness": colorfulness(rgb),
        }
        self.log_validation(values)


def _shrunk(shape: torch.Size, size: int) -> tuple[int, int]:
    """The shape whose short side is `size`."""
    scale = min(size / min(shape), LONGEST * size / max(shape))
    height, width = (max(1, round(n * scale)) for n in shape)
    return height, width
