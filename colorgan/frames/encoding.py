"""Encoding of frames: how the encoder is set up, and what it is given."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.codec.context import Flags
from torch import Tensor

from colorgan.frames.codecs import CODECS, encoder_of, pixel_format
from colorgan.frames.reading import Look


@dataclass
class Encoding:
    """All that an encoder has to know. What two encoders of the same write fits together."""

    codec: str  # a name in CODECS
    look: Look
    time_base: Fraction
    rate: Fraction  # frames per second

    @property
    def format(self) -> str:
        """Name of the format of pixels."""
        return pixel_format(self.codec, self.look.bits, (self.look.height, self.look.width))[0]

    def configure(self, context: av.VideoCodecContext) -> None:
        """Set up an encoder before it is opened."""
        os.environ.setdefault("SVT_LOG", "1")  # errors alone; SVT-AV1 prints by itself
        look, rgb = self.look, self.format.startswith(("bgr", "gbr"))
        context.width, context.height, context.pix_fmt = look.width, look.height, self.format
        context.time_base, context.framerate = self.time_base, self.rate
        context.sample_aspect_ratio = look.aspect or Fraction(0)  # 0: unknown
        context.color_range, context.colorspace = (2, 0) if rgb else (look.range, look.matrix)
        context.color_primaries, context.color_trc = look.primaries, look.transfer
        context.options = dict(CODECS[self.codec].options)
        context.flags |= Flags.global_header  # the headers lie in the file once, not before every keyframe

    def frame(self, picture: Tensor) -> av.VideoFrame:
        """Return a picture (3, H, W), uint8 or floats in [0, 1], as the encoder wants it."""
        pixels = picture.permute(1, 2, 0).numpy()
        if picture.is_floating_point():
            frame = av.VideoFrame.from_ndarray((pixels * 65535 + 0.5).astype(np.uint16), format="rgb48le")
        else:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        if self.format.startswith(("bgr", "gbr")):
            return frame.reformat(format=self.format)
        return frame.reformat(format=self.format, dst_colorspace=self.look.matrix, dst_color_range=self.look.range)


@dataclass
class Packet:
    """A compressed frame."""

    pts: int  # in units of `Encoding.time_base`
    duration: int  # in the same units; 0: unknown
    is_keyframe: bool
    content: bytes


def encode(encoding: Encoding, frames: Iterator[tuple[Tensor, int, int]]) -> Iterator[Packet]:
    """Compress frames, of which the first becomes a keyframe and none refers to others.

    Args:
        encoding: how.
        frames: picture, time stamp and duration of each, as in `reading.Frame`.

    Yields:
        the packets in the order of decoding.
    """
    context = av.CodecContext.create(encoder_of(encoding.codec).name, "w")
    encoding.configure(context)
    durations: dict[int, int] = {}
    for picture, pts, duration in frames:
        frame = encoding.frame(picture)
        frame.pts, frame.time_base = pts, encoding.time_base
        durations[pts] = duration
        yield from _packets(context.encode(frame), durations)
    yield from _packets(context.encode(None), durations)


def _packets(encoded: list[av.Packet], durations: dict[int, int]) -> Iterator[Packet]:
    for packet in encoded:
        yield Packet(packet.pts, durations.pop(packet.pts, 0), packet.is_keyframe, bytes(packet))
