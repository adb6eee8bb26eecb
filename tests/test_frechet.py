"""The Fréchet distance against closed forms, scipy and torchmetrics."""

import numpy as np
import pytest
import scipy.linalg
import torch
from torchmetrics.image.fid import FrechetInceptionDistance

from colorgan.metrics.distances import frechet_distance


class Flat(torch.nn.Module):
    """Features that torchmetrics can take for Inception's: the red values of a picture."""

    num_features = 5

    def forward(self, pictures):
        return pictures[:, 0].flatten(1)


@pytest.mark.parametrize("count", [40, 12])
def test_distance_agrees_with_torchmetrics(count):
    x, y = torch.rand(count, 5), 0.5 + 2 * torch.rand(count + 3, 5) ** 2
    other = FrechetInceptionDistance(feature=Flat(), input_img_size=(3, 1, 5), normalize=True)
    other.set_dtype(torch.float64)
    for features, real in ((x, True), (y, False)):
        other.update(features.double()[:, None, None, :].expand(-1, 3, 1, 5), real=real)
    assert frechet_distance(x, y) == pytest.approx(other.compute().item(), rel=1e-4)


@pytest.mark.parametrize(("n", "m", "features"), [(30, 40, 4), (8, 11, 20), (8, 40, 20), (40, 8, 20)])
def test_distance_agrees_with_the_square_root_of_a_matrix(n, m, features):
    x, y = torch.randn(n, features).double(), 1 + 2 * torch.randn(m, features).double()
    cov_x, cov_y = np.cov(x.T), np.cov(y.T)
    root = scipy.linalg.sqrtm(cov_x @ cov_y + 1e-12 * np.eye(features)).real
    expected = (x.mean(0) - y.mean(0)).square().sum().item() + np.trace(cov_x + cov_y - 2 * root)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("n", "m"), [(50, 70), (2, 2)])
def test_distance_of_one_feature_has_a_closed_form(n, m):
    x, y = torch.randn(n, 1).double(), 3 + 2 * torch.randn(m, 1).double()
    expected = (x.mean() - y.mean()) ** 2 + (x.std() - y.std()) ** 2
    assert frechet_distance(x, y) == pytest.approx(expected.item())


def test_distance_of_scaled_features_has_a_closed_form():
    x = torch.randn(30, 6).double()  # the covariance of 3x is 9 times that of x, and the root of their product 3 times
    expected = (2 * x.mean(dim=0)).square().sum() + (1 + 9 - 2 * 3) * x.var(dim=0).sum()
    assert frechet_distance(x, 3 * x) == pytest.approx(expected.item())


@pytest.mark.parametrize(("count", "features"), [(50, 8), (8, 50)])
def test_distance_to_itself_is_0(count, features):
    x = 100 * torch.randn(count, features)
    assert frechet_distance(x, x.flip(0)) == pytest.approx(0, abs=1e-8)


def test_distance_is_symmetric():
    x, y = torch.randn(10, 30), torch.rand(40, 30)
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x))


@pytest.mark.parametrize("features", [3, 30])
def test_pictures_that_are_counted_twice_are_as_if_there_were_two(features):
    x, y = torch.randn(6, features), torch.rand(6, features)
    drawn = torch.tensor([0, 1, 1, 3, 4, 4, 4])
    counts = torch.bincount(drawn, minlength=6)
    assert frechet_distance(x, y, counts) == pytest.approx(frechet_distance(x[drawn], y[drawn]))
