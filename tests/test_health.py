"""Signs of collapse in what epochs show, and the spread of colors."""

import math

import pytest
import torch

from colorgan.metrics.spread import ab_spread
from colorgan.training.health import ACCURACIES, ERROR, GRAY_ERROR, SPREADS, Health

HEALTHY = {
    "val/color_distance": 0.3,
    ERROR: 12.0,
    GRAY_ERROR: 20.0,
    **dict.fromkeys(SPREADS, 0.7),
    **dict(zip(ACCURACIES, (0.6, 0.9), strict=True)),
}
ALWAYS_RIGHT = dict.fromkeys(ACCURACIES, 0.999)
GUESSING = dict(zip(ACCURACIES, (0.98, 0.03), strict=True))


def health(*epochs):
    """A Health that has judged epochs, each a change of HEALTHY; and the signs of the last one."""
    judge, signs = Health("val/color_distance", "min", patience=3), []
    for change in epochs:
        signs = judge.judge({**HEALTHY, **change})
    return judge, signs


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"train/generator_loss": math.nan}, "train/generator_loss is nan"),
        ({"val/psnr": math.inf}, "val/psnr is inf"),
        ({"val/color_distance": 0.61}, "val/color_distance is 0.61, the best was 0.3"),
        ({ERROR: 25.0}, "guard/ab_error is 25, the best was 12"),
        ({SPREADS[0]: 0.1}, "colors vary 10% as much within"),
        ({SPREADS[1]: 0.1}, "colors vary 10% as much between"),
        ({SPREADS[0]: 5.0}, "colors vary 500% as much within"),
    ],
)
def test_a_collapse_shows_signs(change, text):
    _, signs = health({}, {}, change)
    assert text in signs[0].text
    assert signs[0].certain == ("train/" in text or "psnr" in text)


def test_an_error_above_that_of_gray_is_a_sign_in_the_first_epoch():
    _, signs = health({ERROR: 45.0})
    assert "the ab error is 45, that of plain gray 20" in signs[0].text


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"val/color_distance": 0.4, ERROR: 17.0},  # fluctuates
        dict.fromkeys(SPREADS, 0.4),
        dict.fromkeys(SPREADS, 1.5),
        ALWAYS_RIGHT,  # as critics of hinge losses on pretrained features are
        GUESSING,  # as at the equilibrium of a GAN
    ],
)
def test_a_healthy_run_shows_none(change):
    _, signs = health({}, *[change] * 9)
    assert not signs


def test_a_generator_that_begins_gray_shows_none():
    _, signs = health(*[dict.fromkeys(SPREADS, 0.02)] * 9)
    assert not signs


@pytest.mark.parametrize("change", [ALWAYS_RIGHT, GUESSING])
def test_a_useless_discriminator_counts_where_colors_get_worse(change):
    worse = {"val/color_distance": 0.4}
    assert not health({}, *[worse] * 3)[1]
    assert not health({}, *[{**change, **worse}] * 2)[1]
    _, signs = health({}, *[{**change, **worse}] * 3)
    assert "the discriminator" in signs[0].text and "for 3 epochs" in signs[0].text


def test_a_metric_that_rises_is_worse_where_it_falls():
    judge = Health("val/psnr", "max", patience=3)
    assert not judge.judge({"val/psnr": 24.0})
    assert not judge.judge({"val/psnr": 20.0})
    assert judge.judge({"val/psnr": 12.0})


def test_a_health_goes_on_from_its_state():
    judge, _ = health({}, *[ALWAYS_RIGHT] * 2)
    other = Health("val/color_distance", "min", patience=3)
    other.load_state_dict(judge.state_dict())
    change = {**HEALTHY, **ALWAYS_RIGHT, "val/color_distance": 0.4}
    assert other.judge(change) == judge.judge(change) != []


def test_spread_of_colors():
    gray = torch.zeros(4, 2, 8, 8)
    cast = gray + torch.tensor([20.0, -10.0])[:, None, None]
    alike = torch.randn(1, 2, 8, 8).expand(4, -1, -1, -1)
    apart = gray + torch.tensor([3.0, -3.0, 3.0, -3.0])[:, None, None, None]
    for ab, within, between in ((gray, 0, 0), (cast, 0, 0), (apart, 0, math.sqrt(18))):
        torch.testing.assert_close(ab_spread(ab), (torch.tensor(float(within)), torch.tensor(float(between))))
    within, between = ab_spread(alike)
    assert within > 1 and between < 1e-6
