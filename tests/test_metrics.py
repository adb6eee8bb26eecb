import numpy as np
import pytest
import torch

from colorgan.metrics import ab_error, colorfulness, hits


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


@pytest.mark.parametrize("k, expected", [(1, [1, 0, 0]), (2, [1, 1, 0]), (5, [1, 1, 1])])
def test_hits_are_those_among_the_likeliest(k, expected):
    logits = torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    assert hits(logits, torch.tensor([0, 1, 2]), k).tolist() == expected
