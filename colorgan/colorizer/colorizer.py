"""The model that colors: a net and a codec, and nothing of how they were trained."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorgan.codecs.base import Codec
from colorgan.codecs.distribution import Distribution
from colorgan.colorizer import painting
from colorgan.colorizer.hints import Hint, rasterize
from colorgan.colorizer.painting import LowResolution
from colorgan.colorizer.pretrained import Pretrained
from colorgan.colorizer.upsampling import Upsampling
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


class Colorizer(nn.Module, Pretrained):
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

    def choose_decoding(self, decoding: str, seed: int = 0) -> None:
        """Set how the codec decodes a predicted distribution to a color.

        Args:
            decoding: one of `self.codec.decodings`.
            seed: of the noise, where `decoding` is "sample".

        Raises:
            UserError: the codec predicts no distribution, or does not know this decoding.
        """
        if not isinstance(self.codec, Distribution):
            raise UserError(
                "--decode, --samples, --seed: this model predicts one color, not a distribution; leave them out"
            )
        self.codec.set_decoding(decoding, seed)

    @torch.inference_mode()
    def shrink(self, picture: Tensor, size: int | None = None) -> Tensor:
        """Return the lightness of a picture at the size at which its color is predicted.

        Args:
            picture: as in `paint`.
            size: as in `paint`.

        Returns:
            L (1, 1, h, w) in [0, 100], on the device of the model.
        """
        shape = prediction_shape(picture.shape[-2:], size or self.size)
        return painting.shrink(picture.cpu(), shape).to(next(self.parameters()).device)

    @torch.inference_mode()
    def predict_colors(self, lightness: list[Tensor], hints: list[Tensor] | None = None) -> list[LowResolution]:
        """Predict the color of pictures of one shape.

        Args:
            lightness: (1, 1, h, w) in [0, 100] each, as from `shrink`.
            hints: (1, 3, h, w) each, as from `rasterize`; None: no hints.

        Returns:
            the color of each, at the size of the output of the net, on the CPU.
        """
        L = torch.cat(lightness)
        given = None if hints is None else torch.cat(hints).to(L.device)
        ab = self.predict(Conditions(L, hints=given))
        guide = F.interpolate(L, ab.shape[-2:], mode="area")
        return [LowResolution(*color) for color in zip(ab.cpu().split(1), guide.cpu().split(1), strict=True)]

    def fill(self, picture: Tensor, color: LowResolution, upsample: Upsampling, saturation: float) -> Tensor:
        """Bring the predicted color of a picture to its size; see `painting.paint`."""
        return painting.paint(picture.cpu(), color, upsample, saturation)

    def paint(
        self,
        pictures: list[Tensor],
        size: int | None = None,
        upsample: Upsampling = "guided",
        saturation: float = 1.0,
        hints: Sequence[Sequence[Hint]] | None = None,
    ) -> list[Tensor]:
        """Color pictures of any sizes; each keeps its own lightness at its own size.

        Args:
            pictures: gray (1, H, W) or sRGB (3, H, W) each, of which only the lightness is used: uint8 or floats in
                [0, 1], or gray of uint16.
            size: short side in pixels at which color is predicted; default: `self.size`.
            upsample: how color is brought to the size of the picture; `guided` keeps it within edges.
            saturation: factor of the chroma; colors outside sRGB are reduced to its boundary.
            hints: of each picture; none by default.

        Returns:
            sRGB (3, H, W) each, on the CPU: uint8, or floats in [0, 1] of pictures of floats.

        Raises:
            UserError: there are hints, and the net takes none; a hint is outside of its picture; the predicted color
                is NaN or infinite.
        """
        hinted = hints is not None and any(hints)
        if hinted:
            self.require_hints()
        small = [self.shrink(picture, size) for picture in pictures]
        groups = defaultdict(list)  # pictures that have one shape at the predicted size form a batch
        for i, L in enumerate(small):
            groups[L.shape].append(i)
        painted: dict[int, Tensor] = {}
        for shape, members in groups.items():
            given = [rasterize(hints[i], pictures[i].shape[-2:], shape[-2:]) for i in members] if hinted else None
            colors = self.predict_colors([small[i] for i in members], given)
            for i, color in zip(members, colors, strict=True):
                painted[i] = self.fill(pictures[i], color, upsample, saturation)
        return [painted[i] for i in range(len(pictures))]

    def colorize(
        self,
        image: Pictures,
        size: int | None = None,
        upsample: Upsampling = "guided",
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
