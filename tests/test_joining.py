import random

import pytest

from colorgan.frames.joining import decoding_times


@pytest.mark.parametrize("pts", [
    [0, 40, 80, 120],
    [0, 160, 80, 40, 120, 200, 360, 280, 240, 320],  # a pyramid, as x264 makes
    [0, 80, 40, 5000, 5080, 5040],  # two segments with a pause between
    [7],
    [],
])  # fmt: skip
def test_frames_are_decoded_in_order_and_in_time(pts):
    dts = decoding_times(pts)
    assert dts == sorted(set(dts))
    assert all(d <= p for d, p in zip(dts, pts, strict=True))


def test_any_order_can_be_decoded():
    pts = random.Random(0).sample(range(1000), 100)
    dts = decoding_times(pts)
    assert dts == sorted(set(dts)) and all(d <= p for d, p in zip(dts, pts, strict=True))
