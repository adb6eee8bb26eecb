"""The kernel distance of two sets of features, pair by pair."""

import math

from torch import Tensor
from torchmetrics.image.kid import poly_kernel

BLOCK = 1000  # pictures that are compared with each other; more stand in several blocks, whose mean is taken


def kernel_distance(x: Tensor, y: Tensor) -> float:
    """KID: the squared maximum mean discrepancy under a cubic kernel (Bińkowski et al. 2018, Demystifying MMD GANs).

    The estimate for pairs (Gretton et al. 2012, A kernel two-sample test, equation 4) never compares a picture with its
    own truth. So it is right on average however few the pictures are, and may fall below 0; a Fréchet distance grows
    as they become fewer. torchmetrics has the estimate for sets that do not come in pairs, which counts the truth too.

    Args:
        x: (N, F), N of 2 and up.
        y: (N, F), row by row what x is compared with.
    """
    x, y = x.double(), y.double()
    blocks = math.ceil(len(x) / BLOCK)
    return sum(_discrepancy(x[i::blocks], y[i::blocks]) for i in range(blocks)) / blocks


def _discrepancy(x: Tensor, y: Tensor) -> float:
    among = poly_kernel(x, x) + poly_kernel(y, y) - 2 * poly_kernel(x, y)
    return float((among.sum() - among.diagonal().sum()) / (len(x) * (len(x) - 1)))
