"""The kernel distance against a loop over pairs, torchmetrics and what it promises."""

import pytest
import torch
from torchmetrics.image.kid import poly_mmd

from colorgan.metrics import distances
from colorgan.metrics.distances import kernel_distance, kernel_distances


def test_distance_agrees_with_a_loop_over_pairs():
    x, y = torch.randn(5, 3).double(), 1 + torch.rand(5, 3).double()

    def k(a, b):
        return (a @ b / 3 + 1) ** 3

    pairs = [(i, j) for i in range(5) for j in range(5) if i != j]
    expected = sum(k(x[i], x[j]) + k(y[i], y[j]) - k(x[i], y[j]) - k(x[j], y[i]) for i, j in pairs) / len(pairs)
    assert kernel_distance(x, y) == pytest.approx(expected.item())


def test_distance_agrees_with_torchmetrics_but_for_the_pairs_themselves():
    x, y = torch.randn(8, 4).double(), 1 + torch.rand(8, 4).double()
    own = ((x * y).sum(1) / 4 + 1).pow(3)
    every = (x @ y.T / 4 + 1).pow(3)
    without = (every.sum() - own.sum()) / (8 * 7)
    assert kernel_distance(x, y) == pytest.approx((poly_mmd(x, y) + 2 * every.mean() - 2 * without).item())


def test_distance_to_itself_is_0():
    x = 100 * torch.randn(20, 6)
    assert kernel_distance(x, x) == 0


def test_few_pictures_are_as_far_apart_as_many():
    x = torch.randn(2000, 4).double()
    y = x + 0.5 * torch.randn(2000, 4) + 0.5
    few = [kernel_distance(a, b) for a, b in zip(x.split(10), y.split(10), strict=True)]
    assert sum(few) / len(few) == pytest.approx(kernel_distance(x, y), rel=0.1)


def test_sets_that_do_not_differ_may_lie_below_0():
    distances = [kernel_distance(*torch.randn(2, 20, 4)) for _ in range(50)]
    assert min(distances) < 0 < max(distances)


def test_pairs_that_are_drawn_twice_are_as_if_there_were_two():
    x, y = torch.randn(5, 3), torch.rand(5, 3)
    draws = torch.tensor([[0, 1, 1, 3, 4], [2, 2, 2, 0, 0]])
    counts = torch.stack([torch.bincount(drawn, minlength=5) for drawn in draws])
    expected = [kernel_distance(x[drawn], y[drawn]) for drawn in draws]
    assert kernel_distances(x, y, counts).tolist() == pytest.approx(expected)


def test_many_pictures_are_compared_in_blocks_that_mix_their_order(monkeypatch):
    x, y = torch.randn(6, 3), torch.rand(6, 3)
    monkeypatch.setattr(distances, "KID_BLOCK", 3)
    halves = [kernel_distance(x[i::2], y[i::2]) for i in (0, 1)]
    assert kernel_distance(x, y) == pytest.approx(sum(halves) / 2)
