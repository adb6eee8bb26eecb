"""The command: what of a video stays as it is, and what is refused."""

import gc
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from colorgan.frames.reading import open_video
from tests.filming import WIDTH, panned, read_frames, read_packets, write_video

TAKEN = {  # the codecs, and containers for each
    "h264": ["mp4"],
    "h265": ["mp4", "mkv"],
    "vp9": ["webm"],
    "av1": ["webm", "mp4"],
    "prores": ["mov"],
    "ffv1": ["mkv"],
}
UNEVEN = [0, 40, 90, 130, 500, 540, 600, 1000, 1040, 1100, 1140, 1180]


def look_of(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.sample_aspect_ratio, stream.codec_context.color_range, stream.codec_context.name


def is_red(pixels, of):
    """Whether the pixels are those of a frame with red at full, but for the loss of compression."""
    expected = of.astype(float).copy()
    expected[..., 0] = 255
    return np.abs(pixels - expected).mean() < 12


def starts(path):
    """When the first frame is shown and the first packet of sound is heard, in seconds."""
    return read_frames(path)[0][0], read_packets(path)[0][0]


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_frames_times_and_sound_stay(color_clip, clip, suffix):
    code, out, said = color_clip(clip, f"out.{suffix}")
    assert (code, said.out) == (0, f"{out}: 12 frames colored\n")
    before, after = read_frames(clip), read_frames(out)
    shift = starts(out)[0] - starts(clip)[0]  # Matroska begins at 0, MP4 with what the decoder of AAC throws away
    assert [time + shift for time, _ in before] == [time for time, _ in after]
    assert all(is_red(b, a) for (_, a), (_, b) in zip(before, after, strict=True))
    assert [content for _, content in read_packets(out)] == [content for _, content in read_packets(clip)]
    assert starts(out)[1] - starts(clip)[1] == shift
    assert sorted(path.name for path in out.parent.iterdir()) == ["in.mp4", out.name]


def test_uneven_time_stamps_stay(color_clip, tmp_path):
    source = write_video(tmp_path / "in.mp4", panned(12), pts=UNEVEN)
    _, out, _ = color_clip(source, "out.mp4")
    assert [1000 * time for time, _ in read_frames(out)] == UNEVEN


@pytest.mark.parametrize("codec, suffix", [(c, s) for c, ss in TAKEN.items() for s in ss])
def test_every_codec_colors_every_frame(color_clip, clip, codec, suffix):
    code, out, _ = color_clip(clip, f"out.{suffix}", "--codec", codec)
    assert code == 0
    assert look_of(out)[2] == {"h265": "hevc", "av1": "libdav1d"}.get(codec, codec)
    before, after = read_frames(clip), read_frames(out)
    assert len(before) == len(after) and all(is_red(b, a) for (_, a), (_, b) in zip(before, after, strict=True))


def test_ffv1_is_lossless(color_clip, clip):
    _, out, _ = color_clip(clip, "out.mkv", "--codec", "ffv1")
    for (_, before), (_, after) in zip(read_frames(clip), read_frames(out), strict=True):
        assert (after[..., 0] == 255).all() and (after[..., 1:] == before[..., 1:]).all()


@pytest.mark.parametrize("codec", TAKEN)
def test_odd_sizes_stay(color_clip, tmp_path, codec):
    source = write_video(tmp_path / "in.mp4", panned(4, 65, 49), format="yuv444p")
    _, out, _ = color_clip(source, f"out.{TAKEN[codec][0]}", "--codec", codec)
    assert read_frames(out)[3][1].shape == (49, 65, 3)
    assert is_red(read_frames(out)[3][1], read_frames(source)[3][1])


@pytest.mark.parametrize("codec", ["prores", "h265", "h264"])
def test_ten_bits_stay(color_clip, tmp_path, codec):
    source = write_video(tmp_path / "in.mkv", panned(4), format="yuv420p10le")
    _, out, _ = color_clip(source, "out.mov", "--codec", codec)
    with av.open(str(out)) as container:
        assert "10" in container.streams.video[0].codec_context.format.name
    assert is_red(read_frames(out)[3][1], read_frames(source)[3][1])


def test_fewer_bits_are_said(color_clip, tmp_path):
    source = write_video(tmp_path / "in.mkv", panned(4), format="yuv420p10le", sound=False)
    assert "its 10 bits become 8" in color_clip(source, "out.webm")[2].err


@pytest.mark.parametrize("format", ["gray", "gray10le", "yuv422p", "yuv444p", "bgr0"])
def test_formats_of_pixels(color_clip, tmp_path, format):
    source = write_video(tmp_path / "in.mkv", panned(4), codec="ffv1", format=format, sound=False)
    _, out, said = color_clip(source, "out.mp4")
    assert said.err == ""
    assert is_red(read_frames(out)[3][1], read_frames(source)[3][1])


@pytest.mark.parametrize("range", [1, 2])
def test_aspect_and_range_stay(color_clip, tmp_path, range):
    look = {"sample_aspect_ratio": Fraction(16, 15), "color_range": range}
    source = write_video(tmp_path / "in.mp4", panned(4), **look)
    _, out, _ = color_clip(source, "out.mp4")
    assert look_of(out)[:2] == (Fraction(16, 15), range)
    assert is_red(read_frames(out)[3][1], read_frames(source)[3][1])


@pytest.mark.parametrize("degrees, turns", [(0, 0), (90, 1), (180, 2), (-90, 3)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_result_is_upright(color_clip, tmp_path, degrees, turns, mirrored):
    def turn(container, stream):
        stream.set_display_rotation(degrees, hflip=mirrored)

    look = {"sample_aspect_ratio": Fraction(2, 1)}
    source = write_video(tmp_path / "in.mp4", panned(4), set_up=turn, **look)
    _, out, _ = color_clip(source, "out.mp4")
    shown = np.rot90(read_frames(source)[3][1], turns)
    shown = shown[:, ::-1] if mirrored else shown
    assert is_red(read_frames(out)[3][1], shown)
    assert look_of(out)[0] == (Fraction(1, 2) if turns % 2 else 2)
    with av.open(str(out)) as container:
        assert next(container.decode(video=0)).rotation == 0


def test_text_of_the_file_and_languages_stay(color_clip, tmp_path):
    def describe(container, stream):
        container.metadata["title"] = "Home"
        container.streams.audio[0].metadata["language"] = "fra"

    source = write_video(tmp_path / "in.mp4", panned(4), set_up=describe)
    _, out, _ = color_clip(source, "out.mkv")
    with av.open(str(out)) as container:
        assert container.metadata["title"] == "Home"
        assert container.streams.audio[0].metadata["language"] == "fra"


def test_a_stream_that_the_container_does_not_take_is_said(color_clip, clip):
    code, out, said = color_clip(clip, "out.webm")
    assert code == 0
    assert said.err == "left out: audio 1 (aac), which .webm does not take; .mkv takes most\n"
    assert len(read_frames(out)) == 12


def add_subtitles(container, stream):
    """Prepares a stream of subtitles, chapters and an attachment; packets come later."""
    container.add_mux_stream("subrip", time_base=Fraction(1, 1000))
    container.add_attachment("font.ttf", "font/ttf", b"font")
    container.set_chapters(
        [{"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}}]
    )


@pytest.fixture
def titled(tmp_path):
    """A Matroska file with subtitles, an attachment and a chapter."""
    plain = write_video(tmp_path / "plain.mkv", panned(12))
    path = tmp_path / "in.mkv"
    with av.open(str(plain)) as source, av.open(str(path), "w") as out:
        copies = [out.add_stream_from_template(stream) for stream in source.streams]
        add_subtitles(out, None)
        subtitles = out.streams.get(subtitles=0)[0]
        for packet in source.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                out.mux(packet)
        words = av.Packet(b"Hello")
        words.stream, words.time_base = subtitles, Fraction(1, 1000)
        words.pts = words.dts = 100
        words.duration = 200
        out.mux(words)
    plain.unlink()
    return path


def test_subtitles_chapters_and_attachments_stay(color_clip, titled):
    code, out, said = color_clip(titled, "out.mkv")
    assert (code, said.err) == (0, "")
    assert read_packets(out, "subtitle") == read_packets(titled, "subtitle") != []
    with av.open(str(out)) as container:
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["One"]
        assert [stream.type for stream in container.streams] == ["video", "audio", "subtitle", "attachment"]


def test_subtitles_that_the_container_does_not_take_are_said(color_clip, titled):
    code, _, said = color_clip(titled, "out.mp4")
    assert code == 0
    assert "left out: subtitle 2 (srt), which .mp4 does not take; .mkv takes most\n" in said.err


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_cover_is_no_video_and_stays(color_clip, tmp_path, suffix):
    plain = write_video(tmp_path / "plain.mp4", panned(4))
    source = tmp_path / "in.mp4"
    with av.open(str(plain)) as before, av.open(str(source), "w") as out:
        cover = out.add_stream("mjpeg", rate=1, width=32, height=32, pix_fmt="yuvj420p")
        cover.disposition = Disposition.attached_pic
        copies = [out.add_stream_from_template(stream) for stream in before.streams]
        frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8), format="rgb24")
        out.mux(cover.encode(frame.reformat(format="yuvj420p")))
        out.mux(cover.encode(None))
        for packet in before.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                out.mux(packet)
    code, out, said = color_clip(source, f"out.{suffix}")
    assert (code, said.err) == (0, "")
    with av.open(str(out)) as container:
        [kept] = [stream for stream in container.streams.video if stream.disposition & Disposition.attached_pic]
        [film] = [stream for stream in container.streams.video if stream is not kept]
        assert (kept.width, film.width) == (32, WIDTH)
        assert sum(1 for packet in container.demux(film) if packet.size) == 4


def test_frames_are_freed_without_the_collector(clip):
    gc.collect()
    gc.disable()
    try:
        with open_video(clip) as reader:
            assert len([frame.pts for frame in reader.frames()]) > 8
            alive = sum(type(thing) is av.VideoFrame for thing in gc.get_objects())
    finally:
        gc.enable()
    assert alive <= 2  # the first, whose orientation was read, and the last
