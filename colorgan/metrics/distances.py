"""Distances between two sets of features: FID and KID, computed from features that a bootstrap can resample."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

KID_BLOCK = 1000  # rows of one kernel matrix; larger sets are split into blocks, whose distances are averaged


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """Compute the Fréchet distance of two Gaussians fitted to features (Heusel et al. 2017, equation 6).

    torchmetrics keeps only sums of features, which cannot be resampled.

    Args:
        x: (N, F), N at least 2.
        y: (M, F), M at least 2.

    Returns:
        The distance, 0 and above.
    """
    x, y = x.double(), y.double()
    between_means = (x.mean(dim=0) - y.mean(dim=0)).square().sum()
    with _one_thread():
        x, y = _covariance_factor(x), _covariance_factor(y)
        # The trace of (cov_x cov_y)^(1/2): the eigenvalues of x^T x y^T y are the squared singular values of x y^T,
        # which is smaller and more exact than the covariances where there are fewer pictures than features.
        cross = torch.linalg.svdvals(x @ y.T).sum()
    return max(0.0, float(between_means + x.square().sum() + y.square().sum() - 2 * cross))


def kernel_distance(x: Tensor, y: Tensor) -> float:
    """Compute the squared maximum mean discrepancy under a cubic kernel (Bińkowski et al. 2018, section 4).

    This is the estimator for paired samples (Gretton et al. 2012, equation 4), which never compares a picture with its
    own truth; torchmetrics implements the one for unpaired samples, which does. It is unbiased for any number of
    pictures, so it may be negative; the Fréchet distance grows as pictures become fewer.

    Args:
        x: (N, F), N at least 2.
        y: (N, F); row i is paired with row i of `x`.

    Returns:
        The distance; about 0, possibly below, for equal distributions.
    """
    x, y = x.double(), y.double()
    blocks = math.ceil(len(x) / KID_BLOCK)
    return sum(_discrepancy(x[i::blocks], y[i::blocks]) for i in range(blocks)) / blocks


def _discrepancy(x: Tensor, y: Tensor) -> float:
    from torchmetrics.image.kid import poly_kernel

    kernel = poly_kernel(x, x) + poly_kernel(y, y) - 2 * poly_kernel(x, y)
    return float((kernel.sum() - kernel.diagonal().sum()) / (len(x) * (len(x) - 1)))


def _covariance_factor(x: Tensor) -> Tensor:
    """(N, F) -> (at most F, F): a matrix z whose z^T z is the covariance of x."""
    x = (x - x.mean(dim=0)) / (len(x) - 1) ** 0.5
    return torch.linalg.qr(x, mode="r").R if len(x) > x.shape[1] else x


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep LAPACK to one thread: on a busy machine, several wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
