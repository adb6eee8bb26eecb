"""Distances between two sets of features: FID and KID, computed from features that a bootstrap can resample."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

KID_BLOCK = 1000  # rows of one kernel matrix; larger sets are split into blocks, whose distances are averaged


def frechet_distance(x: Tensor, y: Tensor, counts: Tensor | None = None) -> float:
    """Compute the Fréchet distance of two Gaussians fitted to features (Heusel et al. 2017, equation 6).

    torchmetrics keeps only sums of features, which cannot be resampled.

    Args:
        x: (N, F), N at least 2.
        y: (M, F), M at least 2.
        counts: (N,) for M = N: how often each row of both is counted. By default once.

    Returns:
        The distance, 0 and above.
    """
    (mean_x, x), (mean_y, y) = (_fit(features.double(), counts) for features in (x, y))
    between_means = (mean_x - mean_y).square().sum()
    with _one_thread():
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
    return float(kernel_distances(x, y, torch.ones(1, len(x)))[0])


def kernel_distances(x: Tensor, y: Tensor, counts: Tensor) -> Tensor:
    """Compute `kernel_distance` for resamples, all from the same kernel matrices.

    Args:
        x: (N, F), N at least 2.
        y: (N, F).
        counts: (R, N), how often each of R resamples draws each pair.

    Returns:
        (R,), float64.
    """
    x, y, counts = x.double(), y.double(), counts.double()
    blocks = math.ceil(len(x) / KID_BLOCK)
    parts = [_discrepancies(x[i::blocks], y[i::blocks], counts[:, i::blocks]) for i in range(blocks)]
    return torch.stack(parts).mean(dim=0)


def _discrepancies(x: Tensor, y: Tensor, counts: Tensor) -> Tensor:
    from torchmetrics.image.kid import poly_kernel

    kernel = poly_kernel(x, x) + poly_kernel(y, y) - 2 * poly_kernel(x, y)
    pairs = (counts @ kernel * counts).sum(dim=1) - counts @ kernel.diagonal()
    drawn = counts.sum(dim=1)
    return pairs / (drawn * (drawn - 1))


def _fit(x: Tensor, counts: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the mean (F,) of features (N, F), and a matrix (at most F, F) z whose z^T z is their covariance."""
    if counts is None:
        counts = torch.ones(len(x))
    x, counts = x[counts > 0], counts[counts > 0].to(x)  # a resample has two thirds of the rows, some several times
    mean = counts @ x / counts.sum()
    z = (x - mean) * (counts / (counts.sum() - 1)).sqrt()[:, None]
    with _one_thread():
        return mean, torch.linalg.qr(z, mode="r").R if len(z) > z.shape[1] else z


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep LAPACK to one thread: on a busy machine, several wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
