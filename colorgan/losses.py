"""Adversarial losses: short functions of logits (any shape) that return a scalar.

Each entry of `ADVERSARIAL` is (discriminator's loss(real, fake, real_label), generator's loss(fake)).
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def nonsaturating_discriminator(real: Tensor, fake: Tensor, real_label: float) -> Tensor:
    """-log D(real) - log(1 - D(fake)) (Goodfellow et al. 2014, equation 1).

    A `real_label` below 1 is one-sided label smoothing (Salimans et al. 2016, section 3.4): fake labels stay 0.
    """
    return _cross_entropy(real, real_label) + _cross_entropy(fake, 0.0)


def nonsaturating_generator(fake: Tensor) -> Tensor:
    """-log D(fake) (Goodfellow et al. 2014, section 3; Nazeri 2018, equation 4)."""
    return _cross_entropy(fake, 1.0)


def least_squares_discriminator(real: Tensor, fake: Tensor, real_label: float) -> Tensor:
    """(D(real) - real_label)^2 + D(fake)^2 (Mao et al. 2017, equation 9, with labels 0 and 1)."""
    return (real - real_label).square().mean() + fake.square().mean()


def least_squares_generator(fake: Tensor) -> Tensor:
    """(D(fake) - 1)^2 (Mao et al. 2017, equation 9)."""
    return (fake - 1).square().mean()


def hinge_discriminator(real: Tensor, fake: Tensor, real_label: float) -> Tensor:
    """max(0, 1 - D(real)) + max(0, 1 + D(fake)) (Lim and Ye 2017). It has no labels: `real_label` must be 1."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def hinge_generator(fake: Tensor) -> Tensor:
    """-D(fake) (Lim and Ye 2017)."""
    return -fake.mean()


def _cross_entropy(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


ADVERSARIAL = {
    "nonsaturating": (nonsaturating_discriminator, nonsaturating_generator),
    "least_squares": (least_squares_discriminator, least_squares_generator),
    "hinge": (hinge_discriminator, hinge_generator),
}
