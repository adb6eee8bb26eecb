"""Coloring of a video: in segments of a few seconds, so that a killed process goes on, and in constant memory."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from torch import Tensor

from colorgan.colorizer.colorizer import Colorizer
from colorgan.frames.carrying import Carrier
from colorgan.frames.codecs import pixel_format
from colorgan.frames.encoding import Encoding, encode
from colorgan.frames.joining import join
from colorgan.frames.reading import Frame, Reader, first_look, open_video
from colorgan.frames.segments import remove, segments_of

SEGMENT = 240  # frames, about as far apart as the keyframes of x264
BATCH = 8  # frames whose color is predicted at once; it divides SEGMENT, so that a process that goes on has the same

Report = Callable[[int, int | None], None]  # of the number of finished frames, and of all as far as it is known


@dataclass
class Options:
    """How a video is colored."""

    size: int | None = None  # short side in pixels at which color is predicted; None: the model's own
    saturation: float = 1.0  # factor of the chroma
    alone: bool = False  # each frame by itself: color is not carried along


@dataclass
class Result:
    """What came of a video."""

    frames: int
    continued: int  # frames that an earlier process had colored
    cuts: int  # at which color started anew
    notes: list[str]  # what is not as in the source, a line each
    broken: bool  # whether some of the source could not be read


def color_video(
    model: Colorizer, source: Path, out: Path, codec: str, options: Options, plan: dict[str, Any], report: Report
) -> Result:
    """Color a video, or go on with it.

    Args:
        model: that predicts color.
        source: the gray video.
        out: a new file; its suffix says the container.
        codec: a name in `codecs.CODECS`.
        options: how.
        plan: what must be as it was to go on, beyond the arguments here.
        report: called after each batch.

    Raises:
        UserError: the source cannot be read; see also `segments.segments_of`.
    """
    look = first_look(source)
    plan = {"codec": codec, **vars(options), "av": av.__version__, **plan}
    with open_video(source) as reader, segments_of(out, plan) as segments:
        encoding = Encoding(codec, look, reader.time_base, reader.rate)
        continued = len(segments.time_stamps())
        carrier = Carrier()
        carrier.restore(segments.state() or {})
        frames = reader.frames(continued)
        done = itertools.count(continued)
        while first := next(frames, None):
            chunk = itertools.chain([first], itertools.islice(frames, SEGMENT - 1))
            colored = _colored(model, chunk, carrier, options, lambda: report(next(done) + 1, reader.length))
            segments.add(encode(encoding, colored), carrier.state)
        notes = _notes(reader, encoding) + join(segments, encoding, source, out)
        total = len(segments.time_stamps())
        promised = reader.stream.frames  # 0: the file does not say
        lost = promised - total
        if lost > 0:
            notes.append(f"{source}: {lost} of its {promised} frames could not be read: truncated or broken")
        elif reader.broken:
            notes.append(f"{source}: broken in {reader.broken} places, where frames are missing or damaged")
    remove(out)
    return Result(total, continued, carrier.cuts, notes, broken=lost > 0 or reader.broken > 0)


def _colored(
    model: Colorizer, frames: Iterator[Frame], carrier: Carrier, options: Options, finished: Callable[[], None]
) -> Iterator[tuple[Tensor, int, int]]:
    """Yield the colored picture, time stamp and duration of frames."""
    for batch in iter(lambda: list(itertools.islice(frames, BATCH)), []):
        small = [model.shrink(frame.picture, options.size) for frame in batch]
        for frame, L, predicted in zip(batch, small, model.predict_colors(small), strict=True):
            color = predicted if options.alone else carrier.carry(L, predicted)
            yield model.fill(frame.picture, color, "guided", options.saturation), frame.pts, frame.duration
            finished()


def _notes(reader: Reader, encoding: Encoding) -> list[str]:
    """Say what is not as in the source."""
    notes = []
    _, bits = pixel_format(encoding.codec, encoding.look.bits, (encoding.look.height, encoding.look.width))
    if bits < encoding.look.bits:
        notes.append(f"its {encoding.look.bits} bits become {bits}: --codec prores and ffv1 keep more")
    if reader.moved:
        notes.append(f"{reader.moved} frames had no time stamp after that of the frame before, and got one")
    if reader.interlaced:
        notes.append("it is interlaced, and colored as if it were not: deinterlace it first for clean edges")
    return notes
