import math

import pytest
import torch

from colorgan.colorizer import upsampling
from colorgan.colorizer.upsampling import UPSAMPLERS, bilinear, guided


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
    found = guided(ab, small, L)
    for i, j in [(0, 0), (5, 6), (11, 14), (6, 7)]:
        torch.testing.assert_close(found[0, :, i, j], by_hand(ab, small, L, i, j), rtol=1e-4, atol=1e-5)


def test_guided_color_stays_within_an_edge_and_bilinear_color_crosses_it(scene):
    ab, small, L = scene
    truth = torch.where(L > 50, 40.0, -40.0).expand(1, 2, -1, -1)
    errors = {name: (upsample(ab, small, L) - truth).abs().max().item() for name, upsample in UPSAMPLERS.items()}
    assert errors["guided"] < 1 < 30 < errors["bilinear"]


@pytest.mark.parametrize("upsample", UPSAMPLERS.values())
def test_one_color_stays_that_color(upsample, scene):
    found = upsample(torch.full((1, 2, 4, 5), 7.0), *scene[1:])
    torch.testing.assert_close(found, torch.full((1, 2, 12, 15), 7.0))


def test_the_rows_are_the_same_in_parts(scene, monkeypatch):
    whole = guided(*scene)
    monkeypatch.setattr(upsampling, "PIXELS_PER_STRIP", 20)
    assert torch.equal(guided(*scene), whole)


@pytest.mark.parametrize("shape", [(4, 5), (2, 3), (4, 40), (1, 1)])
def test_a_photograph_that_is_not_larger_needs_no_guide(scene, shape):
    ab, small, _ = scene
    L = torch.rand(1, 1, *shape)
    assert torch.equal(guided(ab, small, L), bilinear(ab, small, L))
