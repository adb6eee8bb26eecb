import pytest
import torch

from colorgan.color import split
from colorgan.data import aging
from colorgan.data.aging import age


@pytest.fixture
def rgb():
    """Four pictures of soft colors, far from the edge of sRGB."""
    return 0.35 + 0.3 * torch.nn.functional.interpolate(torch.rand(4, 3, 8, 8), (32, 32), mode="bilinear")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_share_of_0_changes_nothing(rgb):
    assert torch.equal(age(rgb, 0.0, generator()), rgb)


def test_lightness_degrades_and_color_is_kept(rgb):
    worn = age(rgb, 1.0, generator())
    assert worn.min() >= 0 and worn.max() <= 1
    (L, ab), (old, kept) = split(rgb), split(worn)
    assert ((L - old).abs().flatten(1).mean(1) > 1).sum() >= 3  # an image may get no effect at all
    held = (old > 30) & (old < 80)  # where sRGB holds soft colors
    assert ((ab - kept).abs().amax(1, keepdim=True)[held] < 0.1).float().mean() > 0.99


def test_the_share_is_that_of_the_images():
    rgb = torch.rand(200, 3, 16, 16)
    worn = age(rgb, 0.3, generator())
    assert 40 <= (worn != rgb).flatten(1).any(1).sum() <= 80


def test_the_generator_determines_the_result(rgb):
    assert torch.equal(age(rgb, 1.0, generator(3)), age(rgb, 1.0, generator(3)))
    assert not torch.equal(age(rgb, 1.0, generator(3)), age(rgb, 1.0, generator(4)))


def test_old_film_is_blind_to_red():
    old, panchromatic = aging._film_weights(torch.tensor([1.0, 0.0]).view(2, 1, 1, 1))[:, 0]
    assert old.item() == 0
    assert panchromatic.item() == pytest.approx(0.299)


def test_blur_follows_its_sigma():
    point = torch.zeros(2, 1, 33, 33)
    point[:, :, 16, 16] = 1
    sharp, soft = aging._blur(point, torch.tensor([0.0, aging.MAX_BLUR]).view(2, 1, 1, 1))
    assert torch.equal(sharp, point[0])
    assert soft.sum() == pytest.approx(1) and soft.max() < 0.8
