"""Reading videos: frames upright and in RGB, with their time stamps, and the packets of all other streams."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from av.sidedata.sidedata import Type
from av.video.reformatter import ColorRange
from torch import Tensor

from colorgan.errors import UserError, one_line

UNKNOWN = (0, 2, 3)  # matrices of color that say nothing: RGB, unspecified, reserved
SMPTE170M, BT709 = 6, 1  # numbers of ITU-T H.273
HD = 720  # rows, from which players take BT.709 where a file does not say
MOST_ERRORS = 100  # broken packets in a row, after which the rest of a file counts as lost


@dataclass
class Frame:
    """One picture of a video."""

    picture: Tensor  # sRGB (3, H, W), upright: uint8, or floats in [0, 1] of videos of more than 8 bits
    pts: int  # when it is shown, in units of `Reader.time_base`
    duration: int  # for how long, in the same units; 0: unknown


@dataclass
class Look:
    """What the first frame of a video says about all of them. Numbers are those of ITU-T H.273."""

    height: int  # upright
    width: int
    aspect: Fraction | None  # width of a pixel by its height
    bits: int  # of a value
    matrix: int
    range: int
    primaries: int
    transfer: int


@dataclass
class Geometry:
    """Size and orientation of the first frame, which all others get."""

    width: int
    height: int
    matrix: tuple[int, ...] | None  # for the display

    @classmethod
    def of(cls, frame: av.VideoFrame) -> "Geometry":
        """Read them; not of every frame, for a frame whose side data were asked for is freed by the collector alone."""
        matrix = frame.side_data.get(Type.DISPLAYMATRIX)
        return cls(frame.width, frame.height, matrix and tuple(np.frombuffer(matrix, dtype=np.int32).tolist()))


class Reader:
    """A video that is open for reading.

    Args:
        path: of the file.
        container: of PyAV.
        stream: the video in it.
    """

    def __init__(self, path: Path, container: av.container.InputContainer, stream: av.VideoStream):
        self.path = path
        self.container = container
        self.stream = stream
        stream.thread_type = "AUTO"
        self.broken = 0  # packets and frames that could not be read so far
        self.moved = 0  # frames without a time stamp later than that of the frame before, which got one
        self.interlaced = False

    @property
    def time_base(self) -> Fraction:
        """Unit of time stamps in seconds."""
        return self.stream.time_base

    @property
    def rate(self) -> Fraction:
        """Frames per second, on average."""
        return self.stream.average_rate or self.stream.guessed_rate or Fraction(25)

    @property
    def length(self) -> int | None:
        """Number of frames, as far as the file says; about, where it says only how long it is."""
        if self.stream.frames:
            return self.stream.frames
        if self.stream.duration:
            return round(self.stream.duration * self.time_base * self.rate)
        return round(self.container.duration * self.rate / av.time_base) if self.container.duration else None

    def frames(self, first: int = 0) -> Iterator[Frame]:
        """Yield the frames from number `first` on; those before are decoded, which is the way that never misses one."""
        first_frame = last = None
        for number, frame in enumerate(self.decode()):
            step = frame.duration or max(1, round(1 / (self.rate * self.time_base)))
            pts = frame.pts
            if pts is None or (last is not None and pts <= last):
                pts = 0 if last is None else last + step
                self.moved += 1
            last = pts
            first_frame = first_frame or Geometry.of(frame)
            self.interlaced |= frame.interlaced_frame
            if number >= first:
                yield Frame(_picture(frame, first_frame), pts, frame.duration or 0)

    def decode(self) -> Iterator[av.VideoFrame]:
        """Yield the frames as they lie in the file."""
        for packet in self.packets([self.stream]):
            try:
                decoded = packet.decode()
            except av.FFmpegError:
                self.broken += 1
                continue
            self.broken += packet.is_corrupt
            yield from decoded

    def packets(self, streams: list[av.stream.Stream]) -> Iterator[av.Packet]:
        """Yield the packets of some streams, in the order of the file, and pass over what cannot be read."""
        errors = 0
        while errors < MOST_ERRORS:
            try:
                for packet in self.container.demux(streams):
                    errors = 0
                    yield packet
                return
            except av.EOFError:
                return
            except av.FFmpegError:
                errors += 1
                self.broken += errors == 1


@contextmanager
def open_video(path: Path) -> Iterator[Reader]:
    """Open a video for reading.

    Raises:
        UserError: it is none, or cannot be read.
    """
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: not a video that can be read ({one_line(str(reason))})") from None
    with container:
        videos = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
        if not videos:
            raise UserError(f"{path}: holds no video")
        yield Reader(path, container, videos[0])


def first_look(path: Path) -> Look:
    """Read the first frame of a video.

    Raises:
        UserError: it is no video, or no frame can be read.
    """
    with open_video(path) as reader:
        frame = next(reader.decode(), None)
        if frame is None:
            raise UserError(f"{path}: none of its frames can be read")
        height, width = _picture(frame, Geometry.of(frame)).shape[-2:]
        aspect = reader.stream.sample_aspect_ratio
    turned = (height, width) != (frame.height, frame.width)
    return Look(
        height,
        width,
        1 / aspect if aspect and turned else aspect,
        _bits(frame),
        _matrix(frame),
        int(frame.color_range) or ColorRange.MPEG,
        int(frame.color_primaries),
        int(frame.color_trc),
    )


def _bits(frame: av.VideoFrame) -> int:
    return max(component.bits for component in frame.format.components)


def _matrix(frame: av.VideoFrame) -> int:
    if frame.colorspace not in UNKNOWN:
        return int(frame.colorspace)
    return BT709 if frame.height >= HD else SMPTE170M


def _picture(frame: av.VideoFrame, geometry: Geometry) -> Tensor:
    """Return the pixels of a frame in RGB and upright, at the size of the first frame."""
    width, height = geometry.width, geometry.height
    deep = _bits(frame) > 8
    rgb = frame.reformat(width, height, "rgb48le" if deep else "rgb24", src_colorspace=_matrix(frame)).to_ndarray()
    picture = _upright(rgb, geometry.matrix)
    if deep:
        return torch.from_numpy(picture.astype(np.float32) / 65535).permute(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)


def _upright(pixels: np.ndarray, matrix: tuple[int, ...] | None) -> np.ndarray:
    """Turn and mirror pixels (H, W, C) as a display matrix says; turns of less than 90 degrees do not occur.

    The matrix (libavutil/display.h) maps (x, y) of a pixel to (a x + c y, b x + d y) of the screen.
    """
    if matrix is None:
        return pixels
    a, b, _, c, d = matrix[:5]
    if abs(b) > abs(a):
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
