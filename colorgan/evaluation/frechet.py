"""The Fréchet distance of two sets of features."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """How far two sets of features lie apart, each taken as a Gaussian (Heusel et al. 2017, equation 6).

    torchmetrics has it, but keeps sums alone, of which no bootstrap over pictures can be made.

    Args:
        x: (N, F), N of 2 and up.
        y: (M, F).
    """
    x, y = x.double(), y.double()
    apart = (x.mean(dim=0) - y.mean(dim=0)).square().sum()
    with _one_thread():
        x, y = _factor(x), _factor(y)
        # The trace of (cov_x cov_y)^(1/2): the eigenvalues of x^T x y^T y are the squared singular values of x y^T,
        # which is smaller and more exact than the covariances where there are fewer pictures than features.
        cross = torch.linalg.svdvals(x @ y.T).sum()
    return max(0.0, float(apart + x.square().sum() + y.square().sum() - 2 * cross))


def _factor(x: Tensor) -> Tensor:
    """(N, F) -> (at most F, F): a matrix z whose z^T z is the covariance of x."""
    x = (x - x.mean(dim=0)) / (len(x) - 1) ** 0.5
    return torch.linalg.qr(x, mode="r").R if len(x) > x.shape[1] else x


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keeps LAPACK to one thread: on a busy machine several wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
