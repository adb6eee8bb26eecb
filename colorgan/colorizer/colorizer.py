"""The model that colors: a net and a codec, and nothing of how they were trained."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorgan.codecs.base import Codec
from colorgan.color import by_rows, join, split
from colorgan.colorizer.hints import Hint, rasterize
from colorgan.colorizer.upsampling import UPSAMPLERS, Upsampler
from colorgan.errors import UserError
from colorgan.imaging.arrays import Pictures, unpack
from colorgan.nets.base import EmbeddingNet, HintedNet, Net

MAX_ASPECT = 16  # color is predicted on at most this many times the short side, however long a picture is


@dataclass
class Conditions:
    """The inputs of a colorizer. To condition on something else, add a field."""

    L: Tensor  # (B, 1, H, W) in [0, 100]
    embedding: Tensor | None = None  # (B, F), cached, for an EmbeddingNet; None: the net computes it
    hints: Tensor | None = None  # (B, 3, H, W), ab where it is known and a mask, for a HintedNet; None: no hints


class Colorizer(nn.Module):
    """A net and a codec that color gray pictures.

    `colorize` takes and returns pictures of any type and calls `paint`, which colors tensors at their full size.
    `forward` maps L to ab at the size of L. Both get their color from `predict`: `run_net`, then the codec.

    Args:
        net: maps L to an output.
        codec: turns this output into color.
        size: short side in pixels at which color is predicted by default: that of the training pictures.
    """

    def __init__(self, net: Net, codec: Codec, size: int):
        super().__init__()
        self.net = net
        self.codec = codec
        self.size = size

    def run_net(self, conditions: Conditions) -> Tensor:
        """Return the output (B, channels, h, w) of the net."""
        if isinstance(self.net, EmbeddingNet):
            return self.net(conditions.L, conditions.embedding)
        if isinstance(self.net, HintedNet):
            return self.net(conditions.L, conditions.hints)
        return self.net(conditions.L)

    def predict(self, conditions: Conditions, out: Tensor | None = None) -> Tensor:
        """Predict color. Training, validation, painting and export all get their color from here.

        Args:
            conditions: what color is predicted from.
            out: what `run_net` returned for these conditions, where a training step has it already.

        Returns:
            ab in Lab units, float32: (B, 2, h, w) as the output of the net, or (B, 2, H, W) from codecs that upsample.
        """
        out = self.run_net(conditions) if out is None else out
        return self.codec.decode(out, conditions.L)

    def forward(self, L: Tensor) -> Tensor:
        """Map L (B, 1, H, W) in [0, 100] to ab (B, 2, H, W) in Lab units."""
        return resize_color(self.predict(Conditions(L)), L)

    def require_hints(self) -> None:
        """Raise UserError unless the net takes color hints."""
        if not (isinstance(self.net, HintedNet) and self.net.takes_hints):
            raise UserError("this model takes no hints: train one with net=encoder_unet net.hints=true")

    @torch.inference_mode()
    def paint(
        self,
        pictures: list[Tensor],
        size: int | None = None,
        upsample: Upsampler = "guided",
        saturation: float = 1.0,
        hints: Sequence[Sequence[Hint]] | None = None,
    ) -> list[Tensor]:
        """Color pictures of any sizes; each keeps its own lightness at its own size.

        Args:
            pictures: (3, H, W) each, sRGB in [0, 1]; only their lightness is used.
            size: short side in pixels at which color is predicted; default: `self.size`.
            upsample: how color is brought to the size of the picture; `guided` keeps it within edges.
            saturation: factor of the chroma; colors outside sRGB are reduced to its boundary.
            hints: of each picture; none by default.

        Returns:
            (3, H, W) each, sRGB in [0, 1], on the CPU.

        Raises:
            UserError: there are hints, and the net takes none; a hint is outside of its picture.
        """
        hinted = hints is not None and any(hints)
        if hinted:
            self.require_hints()
        device = next(self.parameters()).device
        lightness = [by_rows(lambda rgb: split(rgb)[0], picture[None].to(device)) for picture in pictures]
        groups = defaultdict(list)  # pictures that have one shape at the predicted size form a batch
        for i, L in enumerate(lightness):
            groups[prediction_shape(L.shape[-2:], size or self.size)].append(i)
        painted: dict[int, Tensor] = {}
        for shape, members in groups.items():
            small = torch.cat([F.interpolate(lightness[i], shape, mode="bilinear", antialias=True) for i in members])
            given = [rasterize(hints[i], lightness[i].shape[-2:], shape) for i in members] if hinted else None
            predicted = self.predict(Conditions(small, hints=torch.cat(given).to(device) if given else None))
            guide = F.interpolate(small, predicted.shape[-2:], mode="area")  # L at the size of the predicted color
            for k, i in enumerate(members):
                ab = UPSAMPLERS[upsample](predicted[k, None], guide[k, None], lightness[i])
                painted[i] = by_rows(lambda L, ab: join(L, saturation * ab), lightness[i], ab)[0].cpu()
        return [painted[i] for i in range(len(pictures))]

    def colorize(
        self,
        image: Pictures,
        size: int | None = None,
        upsample: Upsampler = "guided",
        saturation: float = 1.0,
        hints: Sequence[Hint] | Sequence[Sequence[Hint]] | None = None,
    ) -> Pictures:
        """Color one picture, or a batch of tensors, and return it in the type that was given.

        Args:
            image: a PIL image, an array (H, W[, 1|3|4]) or a tensor ([B,] 1|3, H, W), 8-bit, 16-bit or in [0, 1].
            size: as in `paint`.
            upsample: as in `paint`.
            saturation: as in `paint`.
            hints: of the picture, or a list of them for each picture of a batch.

        Returns:
            the same type and value range with three color channels, and with its alpha if it had one.

        Raises:
            UserError: another type or shape, or as `paint`.
        """
        pictures, restore = unpack(image)
        if hints and isinstance(hints[0], Hint):
            hints = [hints]
        if hints and len(hints) != len(pictures):
            raise UserError(f"{len(hints)} lists of hints for {len(pictures)} pictures: give one for each")
        return restore(self.paint(pictures, size, upsample, saturation, hints))


def resize_color(ab: Tensor, L: Tensor) -> Tensor:
    """Resize ab (B, 2, h, w) to the size of L (B, 1, H, W), bilinear."""
    return ab if ab.shape[-2:] == L.shape[-2:] else F.interpolate(ab, L.shape[-2:], mode="bilinear")


def prediction_shape(shape: torch.Size, size: int) -> tuple[int, int]:
    """Scale a shape to a short side of `size`."""
    scale = min(size / min(shape), MAX_ASPECT * size / max(shape))
    height, width = (max(1, round(n * scale)) for n in shape)
    return height, width
