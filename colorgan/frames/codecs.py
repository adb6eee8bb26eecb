"""Which encoder writes a video, how, and into which container."""

import io
from dataclasses import dataclass
from pathlib import Path

import av

from colorgan.errors import UserError


@dataclass(frozen=True)
class Codec:
    """A way to compress frames.

    Color is predicted at a few hundred pixels, so that 4:2:0 loses nothing of it.
    """

    encoders: tuple[str, ...]  # of FFmpeg, the first that is installed
    options: dict[str, str]  # of the encoder: quality rather than size
    formats: tuple[str, ...]  # of pixels, of 8 bits; the first that the encoder has
    deep: tuple[str, ...]  # of pixels, for videos of more than 8 bits
    odd: tuple[str, ...] = ()  # in place of `formats` and `deep` where a side is odd and 4:2:0 needs even ones


CODECS = {
    "h264": Codec(
        ("libx264",), {"crf": "18", "preset": "medium"}, ("yuv420p",), ("yuv420p10le",), ("yuv444p10le", "yuv444p")
    ),
    "h265": Codec(
        ("libx265",),
        {"crf": "20", "preset": "medium", "x265-params": "log-level=none"},
        ("yuv420p",),
        ("yuv420p10le",),
        ("yuv444p10le", "yuv444p"),
    ),
    "vp9": Codec(
        ("libvpx-vp9",), {"crf": "24", "b": "0", "cpu-used": "4", "row-mt": "1"}, ("yuv420p",), ("yuv420p10le",)
    ),
    "av1": Codec(("libsvtav1", "libaom-av1"), {"crf": "24", "preset": "8"}, ("yuv420p",), ("yuv420p10le",)),
    "prores": Codec(("prores_ks",), {"profile": "3"}, ("yuv422p10le",), ("yuv422p10le",)),
    "ffv1": Codec(("ffv1",), {"level": "3", "slicecrc": "1", "g": "1"}, ("bgr0",), ("gbrp16le",)),  # lossless
}
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
DEFAULTS = {".webm": "vp9"}  # h264 elsewhere


def choose(out: Path, codec: str | None) -> str:
    """Return the codec of a file to write.

    Args:
        out: its suffix says the container.
        codec: a name in CODECS; None: that which players of this container expect.

    Raises:
        UserError: a suffix that is unknown, a codec that the container does not take, or one that is not installed.
    """
    suffix = out.suffix.lower()
    if suffix not in CONTAINERS:
        raise UserError(f"{out}: name it *{', *'.join(CONTAINERS)}, which says the container")
    name = codec or DEFAULTS.get(suffix, "h264")
    encoder_of(name)
    taken = _taken(CONTAINERS[suffix])
    if name not in taken:
        raise UserError(f"--codec {name}: {suffix} does not take it; it takes {', '.join(taken)}")
    return name


def encoder_of(codec: str) -> av.codec.Codec:
    """Return the installed encoder of a codec.

    Raises:
        UserError: there is none.
    """
    for name in CODECS[codec].encoders:
        try:
            return av.codec.Codec(name, "w")
        except av.codec.codec.UnknownCodecError:
            continue
    raise UserError(f"--codec {codec}: the installed PyAV has no encoder for it; choose another")


def pixel_format(codec: str, bits: int, shape: tuple[int, int]) -> tuple[str, int]:
    """Return the format of pixels that a codec writes, and how many bits of each value it keeps.

    Args:
        codec: a name in CODECS.
        bits: of the values of the source.
        shape: height and width.
    """
    known = {format.name for format in encoder_of(codec).video_formats or ()}
    kind = CODECS[codec]
    wanted = (kind.deep if bits > 8 else ()) + kind.formats
    if kind.odd and (shape[0] % 2 or shape[1] % 2):
        wanted = kind.odd if bits > 8 else kind.odd[-1:]
    name = next((format for format in wanted if format in known), wanted[-1])
    return name, av.VideoFormat(name).components[0].bits


def _taken(container: str) -> list[str]:
    """Return the names of the codecs that a container takes."""
    with av.open(io.BytesIO(), "w", format=container) as empty:
        known = empty.supported_codecs
    return [name for name in CODECS if {"h265": "hevc"}.get(name, name) in known]
