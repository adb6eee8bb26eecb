"""Colors counted in bins, and the distance of their histograms."""

import pytest
import torch
from scipy.spatial.distance import jensenshannon

from colorgan.color import in_gamut_bins, split
from colorgan.metrics import (
    ab_histogram,
    histogram_distance,
)
from colorgan.metrics.functional import ab_bin
from colorgan.metrics.metric import RebalancingWeights

# Sharma, Wu and Dalal 2005, table 1: L a b of one color, of the other, and their difference; two pairs a line
SHARMA = """
    50.0000 2.6772 -79.7751 50.0000 0.0000 -82.7485 2.0425 | 50.0000 3.1571 -77.2803 50.0000 0.0000 -82.7485 2.8615
    50.0000 2.8361 -74.0200 50.0000 0.0000 -82.7485 3.4412 | 50.0000 -1.3802 -84.2814 50.0000 0.0000 -82.7485 1.0000
    50.0000 -1.1848 -84.8006 50.0000 0.0000 -82.7485 1.0000 | 50.0000 -0.9009 -85.5211 50.0000 0.0000 -82.7485 1.0000
    50.0000 0.0000 0.0000 50.0000 -1.0000 2.0000 2.3669 | 50.0000 -1.0000 2.0000 50.0000 0.0000 0.0000 2.3669
    50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0009 7.1792 | 50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0010 7.1792
    50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0011 7.2195 | 50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0012 7.2195
    50.0000 -0.0010 2.4900 50.0000 0.0009 -2.4900 4.8045 | 50.0000 -0.0010 2.4900 50.0000 0.0010 -2.4900 4.8045
    50.0000 -0.0010 2.4900 50.0000 0.0011 -2.4900 4.7461 | 50.0000 2.5000 0.0000 50.0000 0.0000 -2.5000 4.3065
    50.0000 2.5000 0.0000 73.0000 25.0000 -18.0000 27.1492 | 50.0000 2.5000 0.0000 61.0000 -5.0000 29.0000 22.8977
    50.0000 2.5000 0.0000 56.0000 -27.0000 -3.0000 31.9030 | 50.0000 2.5000 0.0000 58.0000 24.0000 15.0000 19.4535
    50.0000 2.5000 0.0000 50.0000 3.1736 0.5854 1.0000 | 50.0000 2.5000 0.0000 50.0000 3.2972 0.0000 1.0000
    50.0000 2.5000 0.0000 50.0000 1.8634 0.5757 1.0000 | 50.0000 2.5000 0.0000 50.0000 3.2592 0.3350 1.0000
    60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644 | 63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
    61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731 | 35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
    22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373 | 36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
    90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441 | 90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
    6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377 | 2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""


def test_a_bin_without_pixels_weighs_nothing():
    truth = torch.tensor([[0.0, 30.0], [20.0, -40.0]]).view(1, 2, 1, 2)
    prior = torch.zeros(529).index_fill(0, ab_bin(truth)[0, 0, :1], 1.0)
    assert RebalancingWeights(prior)(truth).tolist() == [[[1, 0]]]


def test_the_bin_of_a_color_in_srgb_is_the_nearest_of_the_313_in_gamut():
    levels = torch.linspace(0, 1, 18)
    ab = split(torch.cartesian_prod(levels, levels, levels).T.view(1, 3, 18, -1))[1]
    index = ab_bin(ab)
    centers = 10 * torch.stack([index // 23 - 11, index % 23 - 11], dim=1).float()
    bins = in_gamut_bins()
    nearest = bins[torch.cdist(ab.flatten(2)[0].T, bins).argmin(dim=1)]
    assert torch.equal(centers.flatten(2)[0].T, nearest)


def test_the_histogram_of_colors_counts_all_pixels_in_bins_of_ten():
    ab = torch.tensor([[0.0, 0.0], [4.9, -4.9], [10.0, 0.0], [500.0, -500.0]]).T[None, :, None]
    counts = ab_histogram(ab).view(23, 23)
    assert (counts[11, 11], counts[12, 11], counts[22, 0], counts.sum()) == (2, 1, 1, 4)


def test_colors_that_are_not_finite_are_counted_somewhere():
    ab = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0]).view(1, 1, 2, 2).expand(1, 2, 2, 2)
    assert ab_histogram(ab).sum() == 4


@pytest.mark.parametrize(
    "counts, truth, expected",
    [([1, 3], [2, 6], 0.0), ([1, 0], [0, 5], 1.0), ([1, 1], [1, 0], 0.5579)],
)
def test_the_distance_of_histograms(counts, truth, expected):
    assert float(histogram_distance(torch.tensor(counts), torch.tensor(truth))) == pytest.approx(expected, abs=1e-4)


def test_the_distance_of_histograms_is_that_of_scipy():
    p, q = torch.rand(2, 50, dtype=torch.float64)
    assert float(histogram_distance(p, q)) == pytest.approx(jensenshannon(p, q, base=2))
