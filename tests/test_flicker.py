"""The measure of flicker, and `evaluate --video`, which prints it."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from colorgan import cli, evaluate
from colorgan.colorizer import checkpoint
from colorgan.colorizer.painting import LowResolution
from colorgan.data import photos
from colorgan.frames.flicker import Flicker
from colorgan.frames.flow import flow, inside, visible, warp
from tests.filming import panned, write_video


@pytest.fixture(scope="module")
def picture():
    """L (H, W) of a photograph."""
    with Image.open(photos.paths()[2]) as image:
        return np.asarray(image.convert("L").resize((240, 160)), dtype=np.float32) / 2.55


def color_of(L):
    """Color (H, W, 2) that depends on the place in the photograph, so that it moves with it."""
    return np.stack([0.5 * L, 40 - 0.3 * L], axis=-1)


def test_flow_finds_a_shift(picture):
    motion = flow(picture[:144, 8:200], picture[:144, 5:197])
    assert np.median(motion[20:-20, 20:-20], axis=(0, 1)) == pytest.approx([3, 0], abs=0.1)


def test_warping_undoes_a_shift(picture):
    a, b = picture[:144, 8:200], picture[:144, 5:197]
    assert np.abs(a - warp(b, flow(a, b)))[10:-10, 10:-10].mean() < 0.5


def test_pixels_that_left_the_frame_are_not_visible(picture):
    a, b = picture[:144, 8:200], picture[:144, 14:206]
    seen = visible(flow(a, b), flow(b, a))
    assert not seen[:, :4].any() and seen[20:-20, 20:-20].mean() > 0.7
    assert not inside(flow(a, b))[:, :4].any()


def test_color_that_moves_with_the_picture_does_not_flicker(picture):
    flicker = Flicker(2)
    for i in range(4):
        L = picture[:144, 3 * i : 3 * i + 192]
        flicker.update(L, [color_of(L), color_of(picture[:144, :192])])
    moving, still = flicker.result()
    assert moving < 0.3 and still > 5 * moving


def test_flicker_is_the_distance_of_colors(picture):
    flicker = Flicker(2)
    for i in range(3):
        flat = np.zeros((160, 240, 2), np.float32)
        flicker.update(picture, [flat, flat + np.float32([3, 4]) * (i % 2)])
    assert flicker.result() == pytest.approx([0, 5])


def test_one_frame_does_not_flicker():
    assert np.isnan(Flicker(1).result()).all()


class Nervous(torch.nn.Module):
    """Colors every frame evenly, in turn in two colors."""

    size = 48

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.count = 0

    def predict_colors(self, lightness):
        self.count += 1
        ab = torch.zeros(1, 2, 12, 16)
        ab[:, 0] = 10 * (self.count % 2)
        return [LowResolution(ab, torch.zeros(1, 1, 12, 16)) for _ in lightness]


@pytest.fixture
def measured(monkeypatch, tmp_path, capfd):
    """Measures frames: measured(frames, *options) -> exit code, what was said, results."""
    monkeypatch.setattr(checkpoint, "load", lambda path, device: Nervous())
    (tmp_path / "x.ckpt").touch()

    def run(frames, *options):
        clip = write_video(tmp_path / "clip.mkv", frames, codec="ffv1", format="bgr0", sound=False)
        file = tmp_path / "flicker.json"
        command = ["--video", str(clip), "--ckpt", str(tmp_path / "x.ckpt"), "--device", "cpu", "--json", str(file)]
        code = evaluate.main([*command, *options])
        return code, capfd.readouterr(), json.loads(file.read_text()) if file.exists() else None

    return run


def test_carrying_along_halves_the_flicker_of_a_nervous_net(measured):
    code, said, results = measured(panned(6, 128, 96))
    assert code == 0
    alone, carried, truth = results["rows"]
    assert [row["name"] for row in results["rows"]] == ["alone", "carried along", "truth"]
    assert alone["flicker"] == pytest.approx(10, abs=0.01) and carried["flicker"] < 5
    assert truth["ab_error"] == 0 and alone["ab_error"] > 5 and alone["psnr"] < truth["psnr"]
    assert (results["frames"], results["cuts"], results["width"], results["height"]) == (6, 0, 64, 48)
    assert f"carried along flickers {carried['flicker'] / alone['flicker']:.2f} times as much as alone" in said.out


def test_a_gray_video_has_no_truth(measured):
    _, said, results = measured([np.repeat(frame[..., 1:2], 3, axis=-1) for frame in panned(3)])
    assert [(row["name"], row["ab_error"], row["psnr"]) for row in results["rows"]] == [
        ("alone", None, None),
        ("carried along", None, None),
    ]
    assert "\ntruth" not in said.out


def test_a_video_of_one_frame_is_refused(measured):
    code, said, _ = measured(panned(1))
    assert code == 2 and "it has 1 that can be read" in said.err


@pytest.mark.parametrize("option", [["--data", "."], ["--skip", "fid"], ["--ckpt", "pyproject.toml"]])
def test_what_a_video_is_not_measured_by(measured, option):
    code, said, _ = measured(panned(2), *option)
    assert code == 2 and said.err.startswith("error: --video: ") and said.err.count("\n") == 1


def test_without_the_extra(measured, monkeypatch):
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    assert "pip install 'colorgan[video]'" in measured(panned(2))[1].err
