"""Small videos for tests, made by PyAV of the photographs in scikit-image's wheel."""

from fractions import Fraction

import av
import numpy as np
from PIL import Image

from colorgan.data import photos

WIDTH, HEIGHT, RATE, SAMPLES = 64, 48, 25, 16000


def panned(count, width=WIDTH, height=HEIGHT, photograph=2):
    """Frames (height, width, 3), uint8, of a camera that moves over a photograph."""
    with Image.open(photos.paths()[photograph]) as image:
        pixels = np.asarray(image.convert("RGB").resize((2 * width, 2 * height)))
    return [np.ascontiguousarray(pixels[i // 2 : i // 2 + height, i : i + width]) for i in range(count)]


def write_video(path, frames, pts=None, codec="libx264", format="yuv420p", sound=True, set_up=None, **look):
    """Write frames, and a sine tone; the time stamps are in milliseconds, every 40 by default.

    `set_up` gets the container and the video stream before anything is written; `look` are attributes of the codec.
    """
    pts = pts or range(0, 40 * len(frames), 40)
    with av.open(str(path), "w") as out:
        video = out.add_stream(codec, rate=RATE)
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt, video.time_base = format, Fraction(1, 1000)
        video.codec_context.time_base = Fraction(1, 1000)
        for name, value in look.items():
            setattr(video.codec_context, name, value)
        audio = out.add_stream("libopus" if path.suffix == ".webm" else "aac", rate=SAMPLES) if sound else None
        if set_up:
            set_up(out, video)
        for pixels, time in zip(frames, pts, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
                format=format, dst_color_range=look.get("color_range", 1)
            )
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if sound:
            tone = (8000 * np.sin(0.17 * np.arange(SAMPLES * pts[-1] // 1000))).astype(np.int16)
            for first in range(0, len(tone) - 1023, 1024):
                frame = av.AudioFrame.from_ndarray(tone[None, first : first + 1024], format="s16", layout="mono")
                frame.sample_rate, frame.pts = SAMPLES, first
                out.mux(audio.encode(frame))
            out.mux(audio.encode(None))
    return path


def read_frames(path):
    """Time in seconds and pixels (H, W, 3), uint8, of all frames."""
    with av.open(str(path)) as container:
        return [(frame.pts * frame.time_base, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def read_packets(path, kind="audio"):
    """Time in seconds and bytes of all packets of the first stream of a kind."""
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in container.demux(stream) if packet.size]
