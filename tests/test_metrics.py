"""Each metric against an independent computation, or a case by hand."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from colorgan import metrics
from colorgan.metrics import (
    ab_error,
    accuracy,
    auc,
    ciede2000,
    colorfulness,
    colorfulness_ddcolor,
    hits,
    lab_mae,
)
from colorgan.metrics.metric import RebalancingWeights
from colorgan.metrics.registry import METRICS

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


def picture(colors):
    """8-bit RGB colors as a picture one pixel high."""
    return torch.tensor(colors, dtype=torch.float32).T[None, :, None] / 255


def colorfulness_by_numpy(rgb):
    """Hasler and Suesstrunk 2003, equations of section 5, on (H, W, 3) in 0..255."""
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    rg, yb = red - green, 0.5 * (red + green) - blue
    return np.sqrt(rg.var() + yb.var()) + 0.3 * np.sqrt(rg.mean() ** 2 + yb.mean() ** 2)


def test_ab_error_by_hand():
    truth = torch.zeros(1, 2, 1, 2)
    ab = torch.tensor([[3.0, 0.0], [4.0, -1.0]]).view(1, 2, 1, 2)  # distances 5 and 1
    assert ab_error(ab, truth).tolist() == [3.0]


def test_ab_error_is_one_value_a_picture():
    truth = torch.zeros(3, 2, 4, 4)
    ab = torch.tensor([0.0, 1.0, 2.0]).view(3, 1, 1, 1).expand(3, 2, 4, 4)
    torch.testing.assert_close(ab_error(ab, truth), torch.tensor([0.0, 2**0.5, 8**0.5]))


def test_ab_error_is_symmetric():
    one, other = 100 * torch.randn(2, 2, 2, 8, 8)
    assert torch.equal(ab_error(one, other), ab_error(other, one))


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_gray_is_not_colorful(value):
    assert colorfulness(torch.full((1, 3, 4, 4), value)).item() == pytest.approx(0, abs=1e-4)


def test_a_gray_picture_of_many_grays_is_not_colorful():
    assert colorfulness(torch.rand(2, 1, 8, 8).expand(2, 3, 8, 8)).abs().max() < 1e-3


def test_one_color_has_only_a_mean():
    # rg = 100, yb = 150 - 50 = 100
    assert colorfulness(picture([(200, 100, 50)])).item() == pytest.approx(0.3 * (100**2 + 100**2) ** 0.5, rel=1e-5)


def test_two_opposite_colors_have_only_a_spread():
    # red: rg = 255, yb = 127.5; cyan: rg = -255, yb = -127.5
    value = colorfulness(picture([(255, 0, 0), (0, 255, 255)])).item()
    assert value == pytest.approx((255**2 + 127.5**2) ** 0.5, rel=1e-5)


def test_two_colors_by_hand():
    # red: rg = 255, yb = 127.5; blue: rg = 0, yb = -255; means 127.5 and -63.75, deviations 127.5 and 191.25
    value = (127.5**2 + 191.25**2) ** 0.5 + 0.3 * (127.5**2 + 63.75**2) ** 0.5
    assert colorfulness(picture([(255, 0, 0), (0, 0, 255)])).item() == pytest.approx(value, rel=1e-5)


def test_colorfulness_agrees_with_numpy():
    rgb = torch.rand(5, 3, 12, 17)
    expected = [colorfulness_by_numpy(255 * one.movedim(0, -1).double().numpy()) for one in rgb]
    np.testing.assert_allclose(colorfulness(rgb), expected, rtol=1e-5)


def test_less_chroma_is_less_colorful():
    rgb = torch.rand(1, 3, 8, 8)
    gray = rgb.mean(1, keepdim=True)
    half = gray + (rgb - gray) / 2
    torch.testing.assert_close(colorfulness(half), colorfulness(rgb) / 2)


def test_ddcolors_colorfulness_agrees_with_numpy():
    red, green, blue = (255 * torch.rand(3, 12, 17, dtype=torch.float64)).numpy()
    rg, yb = np.abs(red - green), np.abs(0.5 * (red + green) - blue)
    expected = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    rgb = torch.from_numpy(np.stack([red, green, blue]) / 255)[None]
    assert colorfulness_ddcolor(rgb).item() == pytest.approx(expected, rel=1e-5)


def test_ddcolors_colorfulness_sees_no_spread_in_opposite_colors():
    # red and cyan: |rg| = 255 and |yb| = 127.5 both
    value = colorfulness_ddcolor(picture([(255, 0, 0), (0, 255, 255)])).item()
    assert value == pytest.approx(0.3 * (255**2 + 127.5**2) ** 0.5, rel=1e-5)


def noisy(size=24):
    """Pictures (3, 3, size, size) in [0, 1] at 8 bits, and noisier and noisier versions of them."""
    truth = torch.randint(0, 256, (3, 3, size // 4, size // 4)).float().repeat_interleave(4, 2).repeat_interleave(4, 3)
    noise = torch.randn_like(truth) * torch.tensor([3.0, 10.0, 40.0])[:, None, None, None]
    return truth / 255, (truth + noise).round().clamp(0, 255) / 255


def test_psnr_agrees_with_scikit_image():
    truth, seen = noisy()
    pairs = zip(truth.numpy(), seen.numpy(), strict=True)
    expected = [peak_signal_noise_ratio(one, two, data_range=1) for one, two in pairs]
    np.testing.assert_allclose(metrics.psnr(seen, truth), expected, rtol=1e-5)


def test_psnr_by_hand():
    assert metrics.psnr(torch.full((1, 3, 4, 4), 0.1), torch.zeros(1, 3, 4, 4)).item() == pytest.approx(20)


@pytest.mark.parametrize(("metric", "best"), [(metrics.psnr, 100), (metrics.ssim, 1)])
def test_equal_pictures_have_the_best_value(metric, best):
    rgb = torch.rand(2, 3, 64, 64).round(decimals=1)
    assert metric(rgb, rgb).tolist() == [best, best]


@pytest.mark.parametrize("width", [24, 17])
def test_ssim_agrees_with_scikit_image(width):
    truth, seen = (pictures[..., :width] for pictures in noisy())
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1}
    pairs = zip(truth.numpy(), seen.numpy(), strict=True)
    expected = [structural_similarity(one, two, channel_axis=0, **options) for one, two in pairs]
    np.testing.assert_allclose(metrics.ssim(seen, truth), expected, atol=1e-5)


def test_rmse_ab_by_hand():
    ab = torch.tensor([[3.0, 0.0], [4.0, -1.0]]).view(1, 2, 1, 2)  # squares 9, 16, 0 and 1
    assert metrics.rmse_ab(ab, torch.zeros(1, 2, 1, 2)).item() == pytest.approx(6.5**0.5)


def test_rmse_ab_is_one_value_a_picture():
    ab = torch.tensor([0.0, 1.0, 2.0]).view(3, 1, 1, 1).expand(3, 2, 4, 4)
    assert metrics.rmse_ab(ab, torch.zeros(3, 2, 4, 4)).tolist() == [0, 1, 2]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ciede2000_gives_the_published_differences(dtype):
    pairs = torch.tensor([float(value) for value in SHARMA.replace("|", " ").split()], dtype=dtype).view(34, 7)
    found = ciede2000(pairs[:, :3, None, None], pairs[:, 3:6, None, None])
    assert [f"{value:.4f}" for value in found.tolist()] == [f"{value:.4f}" for value in pairs[:, 6].tolist()]


def test_ciede2000_is_the_mean_over_pixels():
    lab = torch.tensor([[50.0, 50.0], [2.5, 0.0], [0.0, 0.0]]).view(1, 3, 1, 2)
    truth = torch.tensor([[50.0, 50.0], [3.2972, 0.0], [0.0, 0.0]]).view(1, 3, 1, 2)  # 1.0000 and 0
    assert ciede2000(lab, truth).item() == pytest.approx(0.5, abs=1e-4)


def test_ciede2000_of_equal_colors_is_0():
    lab = torch.stack([100 * torch.rand(2, 8, 8), *(40 * torch.randn(2, 2, 8, 8))], dim=1)
    assert ciede2000(lab, lab).tolist() == [0, 0]


def test_mae_by_hand():
    lab = torch.tensor([50.4, 10.6, -7.0]).view(1, 3, 1, 1)  # rounded: 50, 11, -7
    truth = torch.tensor([52.0, 10.4, -9.0]).view(1, 3, 1, 1)  # 52, 10, -9
    assert lab_mae(lab, truth).item() == pytest.approx(5 / 3)


RIGHT = [
    (0.02, [(2, 4, 4), (-2, -4, -4), (2.4, 4.4, 4.4)]),  # rounded first
    (0.05, [(5, 11, 11), (-5, -11, -11), (5.4, 11.4, 11.4)]),
]
WRONG = [
    (0.02, [(3, 0, 0), (0, 5, 0), (0, 0, -5), (2.6, 0, 0)]),
    (0.05, [(6, 0, 0), (0, 12, 0), (0, 0, -12), (0, 11.6, 0)]),
]
LIMITS = [(share, apart, right) for cases, right in ((RIGHT, 1), (WRONG, 0)) for share, some in cases for apart in some]


@pytest.mark.parametrize(("share", "apart", "right"), LIMITS)
def test_a_pixel_is_right_within_a_share_of_each_range(share, apart, right):
    truth = torch.tensor([40.0, -30.0, 20.0]).view(1, 3, 1, 1)
    lab = truth + torch.tensor(apart, dtype=torch.float32).view(1, 3, 1, 1)
    assert accuracy(lab, truth, share).item() == right


def test_accuracy_is_the_share_of_right_pixels():
    apart = torch.tensor([0.0, 3.0, 0.0, 9.0]).view(1, 1, 2, 2).expand(1, 3, 2, 2)
    assert accuracy(apart, torch.zeros(1, 3, 2, 2), 0.02).item() == 0.5


def looped_auc(distance, weight):
    """The area under the curve of the weighted share of pixels with an error of at most t, t = 0, 1, ..., 150."""
    shares = [(weight * (distance <= t)).sum() / weight.sum() for t in range(151)]
    return sum(shares) / 151


def test_auc_agrees_with_a_loop_over_the_thresholds():
    ab, truth = 60 * torch.randn(2, 1, 2, 9, 9)
    ab[..., 0, :3] = truth[..., 0, :3] + torch.tensor([[0.0, 3.0, 0.0], [0.0, 4.0, 300.0]])  # 0, 5 and beyond 150
    distance = (ab - truth).double().square().sum(dim=1).sqrt()
    expected = looped_auc(distance, torch.ones_like(distance))
    assert auc(ab, truth).mean().item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize(
    ("error", "kept"), [(0, 151), (0.5, 150), (1, 150), (149.5, 1), (150, 1), (150.5, 0), (900, 0)]
)
def test_auc_of_one_pixel_counts_the_thresholds_that_keep_it(error, kept):
    ab = torch.tensor([float(error), 0.0]).view(1, 2, 1, 1)
    assert auc(ab, torch.zeros(1, 2, 1, 1)).item() == pytest.approx(kept / 151)


def test_rebalanced_auc_weighs_by_the_inverse_frequency_of_the_true_bin():
    bins = torch.arange(-110.0, 111, 10)
    bins = torch.cartesian_prod(bins, bins)
    truth = bins[torch.randint(240, 280, (1, 6, 6))].movedim(-1, 1) + torch.rand(1, 2, 6, 6)
    ab = truth + 20 * torch.randn_like(truth)
    nearest = torch.cdist(truth[0].flatten(1).T, bins).argmin(dim=1)
    prior = torch.bincount(nearest, minlength=len(bins)).double() / 36
    distance = (ab - truth).double().square().sum(dim=1).sqrt()
    expected = looped_auc(distance.flatten(), 1 / prior[nearest])
    weight = RebalancingWeights(prior)(truth)
    assert ((auc(ab, truth) * weight).sum() / weight.sum()).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("k, expected", [(1, [1, 0, 0]), (2, [1, 1, 0]), (5, [1, 1, 1])])
def test_hits_are_those_among_the_likeliest(k, expected):
    logits = torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    assert hits(logits, torch.tensor([0, 1, 2]), k).tolist() == expected


def test_metrics_that_share_a_measure_agree_on_what_it_takes():
    shared = {}
    for metric in METRICS.values():
        shared.setdefault(metric.measure, set()).add((metric.needs, metric.measures_truth))
    assert all(len(found) == 1 for found in shared.values())


def test_metrics_without_a_perfect_value_are_measured_on_the_truth():
    assert all(metric.measures_truth for metric in METRICS.values() if metric.perfect is None)
