"""Color that is carried along: it moves with the picture, calms down, and starts anew after a cut."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from colorgan import config, video
from colorgan.codecs import CODECS
from colorgan.colorizer import checkpoint
from colorgan.colorizer.painting import LowResolution
from colorgan.data import photos
from colorgan.frames import carrying, coloring
from colorgan.frames.carrying import Carrier
from colorgan.nets import NETS
from tests.filming import panned, read_frames, write_video


def gray(photograph=2, size=(192, 144)):
    """L (H, W) in [0, 100] of a photograph."""
    with Image.open(photos.paths()[photograph]) as image:
        return np.asarray(image.convert("L").resize(size), dtype=np.float32) / 2.55


def carry(carrier, L, ab):
    """The color (2, h, w) of a frame."""
    color = LowResolution(torch.as_tensor(ab)[None].float(), torch.zeros(1, 1, *ab.shape[-2:]))
    return carrier.carry(torch.from_numpy(np.ascontiguousarray(L))[None, None], color).ab[0].numpy()


def flat(a, b, shape=(36, 48)):
    return np.broadcast_to(np.float32([a, b])[:, None, None], (2, *shape)).copy()


def test_the_first_frame_is_the_prediction():
    assert (carry(Carrier(), gray(), flat(3, -5)) == flat(3, -5)).all()


def test_color_of_a_still_picture_drifts_to_the_prediction():
    carrier, L = Carrier(), gray()
    carry(carrier, L, flat(0, 0))
    first, second = (carry(carrier, L, flat(10, 0))[0].mean() for _ in range(2))
    assert first == pytest.approx(10 * (1 - carrying.KEPT), abs=0.1)
    assert second == pytest.approx(10 * (1 - carrying.KEPT**2), abs=0.1)


def test_color_moves_with_the_picture():
    picture = gray(size=(240, 160))
    carrier = Carrier()
    ab = flat(0, 0, (36, 48))
    ab[0, :, 20:] = 40  # an edge at column 80 of the picture, which moves 8 pixels to the left
    carry(carrier, picture[:144, 8:200], ab)
    moved = carry(carrier, picture[:144, 16:208], flat(0, 0))[0].mean(axis=0) / carrying.KEPT
    assert moved[16] < 5 and moved[20] > 35
    assert np.interp(20, moved[14:22], range(14, 22)) == pytest.approx(17.5, abs=0.6)


def test_where_lightness_changes_it_is_the_prediction():
    carrier, L = Carrier(), gray()
    carry(carrier, L, flat(0, 0))
    changed = L.copy()
    changed[40:100, 60:120] = 100 - changed[40:100, 60:120]
    ab = carry(carrier, changed, flat(10, 0))[0]
    assert ab[14:22, 18:27].mean() > 6 and ab[30:, :10].mean() < 2


def test_after_a_cut_it_is_the_prediction():
    carrier = Carrier()
    carry(carrier, gray(2), flat(0, 0))
    assert carrier.cuts == 0
    assert (carry(carrier, gray(4), flat(10, 0)) == flat(10, 0)).all()
    assert carrier.cuts == 1


@pytest.mark.parametrize("change", [lambda L: 0.8 * L, lambda L: np.minimum(1.2 * L + 5, 100)])
def test_a_fade_is_no_cut(change):
    carrier = Carrier()
    carry(carrier, gray(), flat(0, 0))
    carry(carrier, change(gray()).astype(np.float32), flat(10, 0))
    assert carrier.cuts == 0


def test_grain_is_no_cut_and_calms_down():
    generator = np.random.default_rng(0)
    carrier = Carrier()
    colors = []
    for _ in range(12):
        L = gray() + 3 * cv2.GaussianBlur(generator.normal(size=(144, 192)), (0, 0), 0.7).astype(np.float32)
        colors.append(carry(carrier, L, flat(*generator.normal(size=2))))
    assert carrier.cuts == 0
    steps = np.abs(np.diff(colors, axis=0))
    assert steps.mean() < 0.3


def test_a_restored_carrier_goes_on_the_same():
    one, other = Carrier(), Carrier()
    for carrier in (one, other):
        carry(carrier, gray(2), flat(0, 0))
    other = Carrier()
    other.restore(one.state())
    assert (carry(one, gray(2), flat(9, 3)) == carry(other, gray(2), flat(9, 3))).all()
    Carrier().restore(Carrier().state())


@pytest.fixture
def untrained(monkeypatch):
    """A net with random weights, and segments of eight frames."""
    nodes = {"net": {"name": "resunet", "width": 4, "blocks": 1}, "codec": {"name": "regress"}}
    node = config.resolve(nodes, [], {"net": NETS, "codec": CODECS}, origin="tiny")
    model = checkpoint.build_colorizer(node, 32).eval()
    monkeypatch.setattr(checkpoint, "load", lambda path, device: model)
    monkeypatch.setattr(coloring, "SEGMENT", 8)
    return model


def test_a_killed_video_carries_on_the_same_color(untrained, tmp_path, monkeypatch, capfd):
    source = write_video(tmp_path / "in.mp4", panned(12) + panned(12, photograph=4))
    command = [str(source), "--device", "cpu", "--codec", "ffv1"]
    assert video.main([*command, str(tmp_path / "whole.mkv")]) == 0
    assert "24 frames colored, cuts: 1" in capfd.readouterr().out
    fill, left = type(untrained).fill, iter(range(13))

    def dying(*arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return fill(*arguments)

    with monkeypatch.context() as context:
        context.setattr(type(untrained), "fill", dying)
        assert video.main([*command, str(tmp_path / "out.mkv")]) == 130
    assert video.main([*command, str(tmp_path / "out.mkv")]) == 0
    assert "24 frames colored, 8 of them before, cuts: 1" in capfd.readouterr().out
    for (_, a), (_, b) in zip(read_frames(tmp_path / "whole.mkv"), read_frames(tmp_path / "out.mkv"), strict=True):
        assert (a == b).all()
