"""A video that was interrupted goes on, and becomes what it would have been."""

import json

import av
import pytest

from colorgan.frames import coloring, segments
from colorgan.frames.encoding import Packet
from tests.conftest import Tint
from tests.filming import read_frames, read_packets


@pytest.fixture
def short(monkeypatch):
    """Segments of four frames."""
    monkeypatch.setattr(coloring, "SEGMENT", 4)
    monkeypatch.setattr(coloring, "BATCH", 2)


@pytest.fixture
def die_at(monkeypatch):
    """Interrupts the process at a frame, once: die_at(number)."""

    def arrange(number):
        left = iter(range(number))
        fill = Tint.fill

        def dying(self, *arguments):
            if next(left, None) is None:
                monkeypatch.setattr(Tint, "fill", fill)
                raise KeyboardInterrupt
            return fill(self, *arguments)

        monkeypatch.setattr(Tint, "fill", dying)

    return arrange


@pytest.mark.parametrize("frame", [0, 1, 4, 7, 8, 11])
@pytest.mark.parametrize("codec", ["h264", "ffv1"])
def test_a_killed_video_goes_on_to_the_same_file(color_clip, clip, short, die_at, frame, codec):
    _, whole, _ = color_clip(clip, "whole.mkv", "--codec", codec)
    die_at(frame)
    code, out, said = color_clip(clip, "out.mkv", "--codec", codec)
    assert code == 130 and "the same command goes on from there" in said.err
    assert not out.exists()
    code, out, said = color_clip(clip, "out.mkv", "--codec", codec)
    assert code == 0
    assert f"12 frames colored, {frame // 4 * 4} of them before" in said.out or frame < 4
    for (before, a), (after, b) in zip(read_frames(whole), read_frames(out), strict=True):
        assert before == after and (a == b).all()
    assert read_packets(whole) == read_packets(out)
    assert sorted(path.name for path in out.parent.iterdir()) == ["in.mp4", "out.mkv", "whole.mkv"]


def test_finished_frames_are_not_colored_again(color_clip, clip, short, die_at, model):
    die_at(9)
    color_clip(clip)
    model.batches.clear()
    color_clip(clip)
    assert sum(model.batches) == 4


def test_a_video_begun_with_other_settings_is_not_continued(color_clip, clip, short, die_at):
    die_at(5)
    color_clip(clip)
    code, _, said = color_clip(clip, "out.mkv", "--codec", "ffv1")
    assert code == 2
    assert "begun with other settings (codec h264): give the same again, or remove" in said.err
    assert color_clip(clip)[0] == 0


def test_a_source_that_changed_is_not_continued(color_clip, clip, short, die_at):
    die_at(5)
    color_clip(clip)
    clip.write_bytes(clip.read_bytes() + b"0")
    assert color_clip(clip)[0] == 2


def test_two_processes_never_write_one_video(tmp_path, color_clip, clip):
    with segments.segments_of(tmp_path / "out.mkv", {}):
        code, _, said = color_clip(clip)
    assert code == 2 and "another process is writing it" in said.err


def test_a_half_written_segment_does_not_count(tmp_path):
    def packets():
        yield Packet(0, 1, True, b"first")
        raise KeyboardInterrupt

    with segments.segments_of(tmp_path / "out.mkv", {}) as found, pytest.raises(KeyboardInterrupt):
        found.add(packets(), dict)
    with segments.segments_of(tmp_path / "out.mkv", {}) as found:
        assert (found.count, found.state(), found.time_stamps()) == (0, None, [])
        found.add([Packet(7, 3, True, b"first"), Packet(-5, 0, False, b"")], dict)
    with segments.segments_of(tmp_path / "out.mkv", {}) as found:
        assert list(found.packets()) == [Packet(7, 3, True, b"first"), Packet(-5, 0, False, b"")]
        assert (found.count, found.state(), found.time_stamps()) == (1, {}, [7, -5])


def test_the_plan_is_readable(tmp_path):
    with segments.segments_of(tmp_path / "out.mkv", {"size": None}) as found:
        assert json.loads((found.folder / "plan.json").read_text()) == {"size": None}


def test_a_video_that_was_killed_while_it_was_joined_is_joined(color_clip, clip, monkeypatch, model):
    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(coloring, "join", killed)
        assert color_clip(clip)[0] == 130
    model.batches.clear()
    code, out, said = color_clip(clip)
    assert (code, said.out) == (0, f"{out}: 12 frames colored, 12 of them before\n")
    assert model.batches == [] and len(read_frames(out)) == 12


def test_a_full_disk_is_one_line_and_nothing_is_lost(color_clip, clip, monkeypatch):
    def full(*arguments):
        raise av.error.FFmpegError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(coloring, "join", full)
        code, _, said = color_clip(clip)
    assert (code, said.err.count("\n")) == (2, 1) and "out.mkv: cannot be written (No space left" in said.err
    assert color_clip(clip)[0] == 0
