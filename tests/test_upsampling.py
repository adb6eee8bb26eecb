import math

import pytest
import torch

from colorgan.colorizer.upsampling import make_upsampler


def by_hand(ab, small, L, i, j):
    """The color of one pixel, from the definition."""
    (h, w), (H, W) = small.shape[-2:], L.shape[-2:]
    y, x = (i + 0.5) * h / H - 0.5, (j + 0.5) * w / W - 0.5
    total, weights = torch.zeros(2), 0.0
    for row in range(round(y) - 1, round(y) + 2):
        for column in range(round(x) - 1, round(x) + 2):
            a, b = min(max(row, 0), h - 1), min(max(column, 0), w - 1)
            near = math.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * 0.5**2))
            alike = math.exp(-((float(small[0, 0, a, b]) - float(L[0, 0, i, j])) ** 2) / (2 * 3.0**2))
            total += near * (alike + 1e-8) * ab[0, :, a, b]
            weights += near * (alike + 1e-8)
    return total / weights


def upsampled(name, ab, small, L):
    """The color of all rows."""
    return make_upsampler(name, ab, small, L.shape[-2:])(L[0, 0], 0)[None]


@pytest.fixture
def scene():
    """Ab (1, 2, 4, 5) of a red and a blue half, their lightness, and the photograph's at three times the size."""
    L = torch.full((1, 1, 12, 15), 30.0)
    L[..., 7:] = 80.0
    small = torch.nn.functional.interpolate(L, (4, 5), mode="area")
    ab = torch.where(small > 50, 40.0, -40.0).repeat(1, 2, 1, 1)
    return ab, small, L


def test_guided_is_the_mean_of_like_neighbors(scene):
    ab, small, L = torch.randn(1, 2, 4, 5), scene[1], scene[2] + torch.randn(1, 1, 12, 15)
    found = upsampled("guided", ab, small, L)
    for i, j in [(0, 0), (5, 6), (11, 14), (6, 7)]:
        torch.testing.assert_close(found[0, :, i, j], by_hand(ab, small, L, i, j), rtol=1e-4, atol=1e-5)


def test_guided_color_stays_within_an_edge_and_bilinear_color_crosses_it(scene):
    ab, small, L = scene
    truth = torch.where(L > 50, 40.0, -40.0).expand(1, 2, -1, -1)
    errors = {name: (upsampled(name, ab, small, L) - truth).abs().max().item() for name in ("guided", "bilinear")}
    assert errors["guided"] < 1 < 30 < errors["bilinear"]


@pytest.mark.parametrize("name", ["guided", "bilinear"])
def test_one_color_stays_that_color(name, scene):
    found = upsampled(name, torch.full((1, 2, 4, 5), 7.0), *scene[1:])
    torch.testing.assert_close(found, torch.full((1, 2, 12, 15), 7.0))


@pytest.mark.parametrize("name", ["guided", "bilinear"])
def test_rows_are_the_same_in_parts(scene, name):
    ab, small, L = torch.randn(1, 2, 4, 5), scene[1], scene[2] + torch.randn(1, 1, 12, 15)
    whole = upsampled(name, ab, small, L)
    upsampler = make_upsampler(name, ab, small, L.shape[-2:])
    parts = [upsampler(L[0, 0, first : first + 5], first) for first in range(0, 12, 5)]
    torch.testing.assert_close(torch.cat(parts, dim=1)[None], whole)


@pytest.mark.parametrize("shape", [(9, 15), (2, 3), (4, 40), (40, 5), (1, 1), (3, 9)])
def test_bilinear_is_that_of_torch(shape):
    ab, L = torch.randn(1, 2, 4, 5), torch.rand(1, 1, *shape)
    expected = torch.nn.functional.interpolate(ab, shape, mode="bilinear", antialias=True)
    torch.testing.assert_close(upsampled("bilinear", ab, ab[:, :1], L), expected)


@pytest.mark.parametrize("shape", [(4, 5), (2, 3), (4, 40), (1, 1)])
def test_a_photograph_that_is_not_larger_needs_no_guide(scene, shape):
    ab, small, _ = scene
    L = torch.rand(1, 1, *shape)
    assert torch.equal(upsampled("guided", ab, small, L), upsampled("bilinear", ab, small, L))


def test_color_of_a_window_without_like_pixels_is_that_of_the_nearest():
    ab = torch.tensor([10.0, -10.0]).view(1, 1, 1, 2).expand(1, 2, 2, 2).contiguous()
    found = upsampled("guided", ab, torch.zeros(1, 1, 2, 2), torch.full((1, 1, 8, 8), 100.0))
    assert found[0, 0, 0, 0] > 9 and found[0, 0, 0, -1] < -9
