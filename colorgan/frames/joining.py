"""The finished file: the frames of all segments, and all other streams of the source packet by packet."""

import heapq
import io
import os
from collections.abc import Iterator
from pathlib import Path

import av
from av.stream import Disposition

from colorgan.errors import one_line
from colorgan.frames.codecs import CONTAINERS, encoder_of
from colorgan.frames.encoding import Encoding
from colorgan.frames.reading import Reader, open_video
from colorgan.frames.segments import Segments

COVERS = {"mjpeg": "jpeg", "png": "png"}  # codecs of pictures; in Matroska a cover is an attachment, not a stream
FRONT = {"movflags": "+faststart"}  # players on the web need the index before the frames


def join(segments: Segments, encoding: Encoding, source: Path, out: Path) -> list[str]:
    """Write a video whole.

    Args:
        segments: its frames.
        encoding: that they were made with.
        source: the gray video.
        out: a new file.

    Returns:
        a line for each stream that its container does not take.
    """
    part = segments.folder / f"joined{out.suffix}"
    container = CONTAINERS[out.suffix.lower()]
    options = FRONT if container in ("mp4", "mov") else {}
    with open_video(source) as reader, av.open(str(part), "w", format=container, container_options=options) as output:
        output.metadata.update(reader.container.metadata)
        output.set_chapters(reader.container.chapters())
        video = output.add_stream(encoder_of(encoding.codec).name, encoding.rate)
        encoding.configure(video.codec_context)
        video.time_base = encoding.time_base
        video.metadata.update(reader.stream.metadata)
        video.disposition = reader.stream.disposition
        if encoding.codec == "h265" and container in ("mp4", "mov"):
            video.codec_context.codec_tag = "hvc1"  # Apple's players want it
        copies, notes = _add_others(output, container, reader, out)
        output.start_encoding()
        packets = heapq.merge(_video(segments, encoding, video), _others(reader, copies), key=lambda pair: pair[0])
        for _, packet in packets:
            output.mux(packet)
    os.replace(part, out)
    return notes


def decoding_times(pts: list[int]) -> list[int]:
    """Return when packets have to be decoded: in order, and none after it is shown.

    Args:
        pts: when each is shown, in the order of decoding.
    """
    shown = sorted(pts)
    rank = {time: i for i, time in enumerate(shown)}
    delay = max((i - rank[time] for i, time in enumerate(pts)), default=0)
    return [shown[i - delay] if i >= delay else shown[0] - (delay - i) for i in range(len(pts))]


def _add_others(
    output: av.container.OutputContainer, container: str, reader: Reader, out: Path
) -> tuple[dict[int, av.stream.Stream], list[str]]:
    """Add all other streams; return those that get packets, by their index in the source, and what `join` returns."""
    copies, notes = {}, []
    for stream in reader.container.streams:
        if stream.index == reader.stream.index:
            continue
        if container == "matroska" and stream.disposition & Disposition.attached_pic:
            if kind := COVERS.get(stream.codec_context.name):
                output.add_attachment(f"cover.{kind}", f"image/{kind}", _only_packet(reader.path, stream.index))
                continue
        if not _takes(container, stream):
            notes.append(_left_out(stream, out))
            continue
        copies[stream.index] = copy = output.add_stream_from_template(stream)
        copy.metadata.update(stream.metadata)
        copy.disposition = stream.disposition
    return copies, notes


def _only_packet(path: Path, index: int) -> bytes:
    """Return the picture of a cover, which is a stream of one packet."""
    with open_video(path) as reader:
        return next((bytes(packet) for packet in reader.packets([reader.container.streams[index]])), b"")


def _video(segments: Segments, encoding: Encoding, stream: av.VideoStream) -> Iterator[tuple[float, av.Packet]]:
    for stored, dts in zip(segments.packets(), decoding_times(segments.time_stamps()), strict=True):
        packet = av.Packet(stored.content)
        packet.pts, packet.dts, packet.time_base = stored.pts, dts, encoding.time_base
        packet.duration, packet.is_keyframe, packet.stream = stored.duration, stored.is_keyframe, stream
        yield float(dts * encoding.time_base), packet


def _others(reader: Reader, copies: dict[int, av.stream.Stream]) -> Iterator[tuple[float, av.Packet]]:
    last = float("-inf")
    for packet in reader.packets([reader.container.streams[index] for index in copies]) if copies else ():
        if packet.dts is None and not packet.size:
            continue  # PyAV's mark of the end
        last = max(last, float(packet.dts * packet.time_base)) if packet.dts is not None else last
        packet.stream = copies[packet.stream_index]
        yield last, packet


def _takes(container: str, stream: av.stream.Stream) -> bool:
    """Return whether a container takes a stream, by writing an empty file."""
    try:
        with av.open(io.BytesIO(), "w", format=container) as empty:
            empty.add_stream_from_template(stream)
            empty.start_encoding()
    except (av.FFmpegError, ValueError, TypeError):
        return False
    return True


def _left_out(stream: av.stream.Stream, out: Path) -> str:
    context = stream.codec_context
    name = f"{stream.type} {stream.index}" + (f" ({context.name})" if context else "")
    return one_line(f"left out: {name}, which {out.suffix} does not take; .mkv takes most")
