"""Color at full size: 8-bit pixels by tables and compiled loops give what tensors give."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from colorgan import kernels
from colorgan.color import join, split
from colorgan.color_bytes import join_bytes, lightness
from colorgan.colorizer import painting
from colorgan.colorizer.painting import LowResolution, paint, shrink
from colorgan.errors import UserError

SHAPE = 37, 50


@pytest.fixture
def gray():
    return torch.randint(0, 256, (1, *SHAPE), dtype=torch.uint8)


@pytest.fixture
def rgb():
    return torch.randint(0, 256, (3, *SHAPE), dtype=torch.uint8)


@pytest.fixture
def color():
    """A predicted color at a fifth of the size, part of it out of gamut."""
    return LowResolution(40 * torch.randn(1, 2, 8, 10), 100 * torch.rand(1, 1, 8, 10))


def as_float(picture):
    return picture.expand(3, -1, -1).float() / torch.iinfo(picture.dtype).max


@pytest.mark.parametrize("kind", ["gray", "rgb"])
def test_lightness_by_table_is_that_of_color(kind, request):
    picture = request.getfixturevalue(kind)
    expected = split(as_float(picture)[None])[0][0, 0]
    torch.testing.assert_close(lightness(picture), expected, atol=0.01, rtol=0)


def test_gray_of_16_bits_keeps_its_depth():
    gray = torch.arange(SHAPE[0] * SHAPE[1], dtype=torch.int32).add(20_000).to(torch.uint16).view(1, *SHAPE)
    L = lightness(gray)
    assert len(L.unique()) == L.numel()
    torch.testing.assert_close(L, split(gray.expand(3, -1, -1).float()[None] / 65535)[0][0, 0])


def test_bytes_are_the_rounded_values_of_join():
    L, ab = 100 * torch.rand(200, 300), 50 * torch.randn(2, 200, 300)
    found = torch.empty(200, 300, 3, dtype=torch.uint8)
    join_bytes(L, ab, found)
    expected = join(L[None, None], ab[None])[0].permute(1, 2, 0).mul(255).round()
    difference = (found.int() - expected.int()).abs()
    # where chroma is reduced, rounding decides between two of its 1,024 steps
    assert (difference > 1).float().mean() < 1e-3 and (difference > 0).float().mean() < 0.02


def test_lightness_stays_where_color_leaves_the_gamut():
    L, ab = (
        torch.full((1, 360), 80.0),
        200 * torch.stack([torch.arange(360).deg2rad().cos(), torch.arange(360).deg2rad().sin()]),
    )
    rgb = torch.empty(1, 360, 3, dtype=torch.uint8)
    join_bytes(L, ab[:, None].contiguous(), rgb)
    assert (split(rgb.permute(2, 0, 1)[None] / 255)[0] - 80).abs().max() < 0.5


@pytest.mark.parametrize("upsample", ["guided", "bilinear"])
@pytest.mark.parametrize("kind", ["gray", "rgb"])
def test_a_picture_of_bytes_becomes_what_its_floats_become(kind, upsample, color, request):
    picture = request.getfixturevalue(kind)
    bytes_, floats = (paint(x, color, upsample, 1.2) for x in (picture, as_float(picture)))
    assert (bytes_.dtype, floats.dtype, bytes_.shape) == (torch.uint8, torch.float32, (3, *SHAPE))
    assert (bytes_.int() - floats.mul(255).round().int()).abs().max() <= 1


def test_saturation_0_is_gray(gray, color):
    painted = paint(gray, color, "guided", 0.0)
    assert (painted.int() - gray.int()).abs().max() <= 1


@pytest.mark.parametrize("kind", ["gray", "rgb"])
def test_strips_and_threads_change_nothing(kind, color, request, monkeypatch):
    picture = request.getfixturevalue(kind)
    whole = paint(picture, color, "guided", 1.0), shrink(picture, (8, 10))
    monkeypatch.setattr(painting, "STRIP", 150)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    parts = paint(picture, color, "guided", 1.0), shrink(picture, (8, 10))
    assert torch.equal(parts[0], whole[0])
    torch.testing.assert_close(parts[1], whole[1])


@pytest.mark.parametrize("shape", [(8, 10), (60, 80), (8, 80)])
def test_shrinking_is_that_of_torch(gray, shape):
    L = split(as_float(gray)[None])[0]
    expected = F.interpolate(L, shape, mode="bilinear", antialias=True)
    torch.testing.assert_close(shrink(gray, shape), expected, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_color_that_is_no_number_is_refused(gray, color, wrong):
    color.ab[0, 1, 3, 3] = wrong
    with pytest.raises(UserError, match="NaN or infinite values"):
        paint(gray, color, "guided", 1.0)


def test_an_error_in_a_thread_reaches_the_caller(color, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(painting, "STRIP", 50)
    monkeypatch.setattr(painting, "lightness", lambda picture: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        shrink(torch.zeros(1, *SHAPE, dtype=torch.uint8), (8, 10))


def test_autocast_changes_no_pixel(gray, color):
    expected = paint(as_float(gray), color, "guided", 1.0)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(paint(as_float(gray), color, "guided", 1.0), expected)


def test_kernels_are_compiled_where_nothing_can_be_kept(monkeypatch):
    def refuse(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(kernels.numba, "njit", refuse)
    assert kernels.compiled(len) is len


def test_the_table_ends_at_its_floor():
    table = kernels.gaussian_table(1e-8)
    assert table.dtype == np.float32 and table[0] == pytest.approx(1, abs=1e-5) and table[-1] == pytest.approx(1e-8)
