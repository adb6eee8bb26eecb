"""The command on files that are broken, and on arguments that cannot be met: one line, and nothing overwritten."""

import av
import numpy as np
import pytest

from colorgan import cli, video
from colorgan.frames import codecs, reading
from tests.filming import RATE, panned, read_frames, write_video


def line(result):
    """The only line of a refusal."""
    code, _, said = result
    assert code == 2 and said.out == "" and said.err.count("\n") == 1
    return said.err


def test_an_existing_file_is_not_overwritten(color_clip, clip, tmp_path):
    (tmp_path / "out.mkv").write_text("mine")
    assert "exists already" in line(color_clip(clip))
    assert (tmp_path / "out.mkv").read_text() == "mine"


@pytest.mark.parametrize("name, options, expected", [
    ("out.avi", [], "out.avi: name it *.mp4, *.m4v, *.mov, *.mkv, *.webm, which"),
    ("out.webm", ["--codec", "h264"], "--codec h264: .webm does not take it; it takes vp9, av1"),
    ("out.mp4", ["--codec", "prores"], "--codec prores: .mp4 does not take it"),
])  # fmt: skip
def test_what_a_container_does_not_take(color_clip, clip, name, options, expected):
    assert expected in line(color_clip(clip, name, *options))


def test_a_codec_that_is_not_installed(color_clip, clip, monkeypatch):
    monkeypatch.setitem(codecs.CODECS, "av1", codecs.Codec(("libnothing",), {}, ("yuv420p",), ()))
    assert "--codec av1: the installed PyAV has no encoder for it" in line(
        color_clip(clip, "out.mkv", "--codec", "av1")
    )


def test_without_the_extra(color_clip, clip, monkeypatch):
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    expected = "videos need av, opencv-python-headless: pip install 'colorgan[video]'"
    assert expected in line(color_clip(clip))


def test_the_help_names_the_codecs():
    assert tuple(codecs.CODECS) == video.CODECS


@pytest.mark.parametrize("content", [b"", b"not a video\n" * 100])
def test_a_file_that_is_no_video(color_clip, tmp_path, content):
    (tmp_path / "in.mp4").write_bytes(content)
    assert "in.mp4: not a video that can be read" in line(color_clip(tmp_path / "in.mp4"))


def test_a_folder(color_clip, tmp_path):
    assert "not a video that can be read" in line(color_clip(tmp_path))


def test_a_file_of_sound_alone(color_clip, tmp_path):
    with av.open(str(tmp_path / "in.m4a"), "w") as out:
        stream = out.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
        frame.sample_rate = 16000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert "in.m4a: holds no video" in line(color_clip(tmp_path / "in.m4a"))


def test_a_file_that_ends_too_early_after_its_index(color_clip, tmp_path):
    options = {"x264-params": "keyint=4"}
    whole = write_video(tmp_path / "whole.mp4", panned(40), sound=False, options=options)
    with (
        av.open(str(whole)) as source,
        av.open(str(tmp_path / "front.mp4"), "w", container_options={"movflags": "+faststart"}) as front,
    ):
        stream = front.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                front.mux(packet)
    content = (tmp_path / "front.mp4").read_bytes()
    (tmp_path / "in.mp4").write_bytes(content[: len(content) * 2 // 3])
    code, out, said = color_clip(tmp_path / "in.mp4")
    assert code == 1
    colored = len(read_frames(out))
    assert 10 < colored < 40
    assert f"{40 - colored} of its 40 frames could not be read: truncated or broken" in said.err


def test_a_file_without_its_index(color_clip, clip):
    clip.write_bytes(clip.read_bytes()[:-2000])
    assert "not a video that can be read" in line(color_clip(clip))


def test_frames_that_are_damaged_are_said(color_clip, tmp_path):
    source = write_video(tmp_path / "in.mkv", panned(40), codec="ffv1", format="bgr0", sound=False)
    content = bytearray(source.read_bytes())
    for at in range(len(content) // 2, len(content) // 2 + 3000):
        content[at] ^= 0x5A
    source.write_bytes(content)
    code, out, said = color_clip(source)
    assert code == 1 and "broken in" in said.err
    assert 20 < len(read_frames(out)) <= 40


def test_a_broken_packet_is_tried_again_only_so_often(tmp_path):
    class Broken:
        def demux(self, streams):
            raise av.InvalidDataError(1, "broken")

    reader = reading.Reader.__new__(reading.Reader)
    reader.container, reader.broken = Broken(), 0
    assert list(reader.packets([])) == [] and reader.broken == 1


def test_the_rate_of_the_helper_is_that_of_the_files(clip):
    with reading.open_video(clip) as reader:
        assert (reader.rate, reader.length) == (RATE, 12)
