"""Adversarial losses, which map logits of any shape to a scalar, the mean over all logits.

Each value of `ADVERSARIAL` is a pair of functions: the loss of the discriminator, of the logits of real and of fake
pictures and the label of real ones, and the loss of the generator, of the logits of fake pictures. The relativistic
loss of the generator takes those of real pictures, too.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def nonsaturating_discriminator(real: Tensor, fake: Tensor, real_label: float) -> Tensor:
    """Return -log D(real) - log(1 - D(fake)) (Goodfellow et al. 2014, equation 1).

    A `real_label` below 1 is one-sided label smoothing (Salimans et al. 2016, section 3.4). The label of fake pictures
    is 0.
    """
    return _binary_cross_entropy(real, real_label) + _binary_cross_entropy(fake, 0.0)


def nonsaturating_generator(fake: Tensor) -> Tensor:
    """Return -log D(fake) (Goodfellow et al. 2014, section 3; Nazeri 2018, equation 4)."""
    return _binary_cross_entropy(fake, 1.0)


def least_squares_discriminator(real: Tensor, fake: Tensor, real_label: float) -> Tensor:
    """Return (D(real) - real_label)^2 + D(fake)^2 (Mao et al. 2017, equation 9, with labels 0 and 1)."""
    return (real - real_label).square().mean() + fake.square().mean()


def least_squares_generator(fake: Tensor) -> Tensor:
    """Return (D(fake) - 1)^2 (Mao et al. 2017, equation 9)."""
    return (fake - 1).square().mean()


def hinge_discriminator(real: Tensor, fake: Tensor, real_label: float) -> Tensor:
    """Return max(0, 1 - D(real)) + max(0, 1 + D(fake)) (Lim and Ye 2017).

    This loss has no labels; `real_label` must be 1.
    """
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def hinge_generator(fake: Tensor) -> Tensor:
    """Return -D(fake) (Lim and Ye 2017)."""
    return -fake.mean()


def relativistic_discriminator(real: Tensor, fake: Tensor, real_label: float) -> Tensor:
    """Return softplus(D(fake) - D(real)) of logits in pairs, of the same photograph (Jolicoeur-Martineau 2018, 4.1).

    This loss has no labels; `real_label` must be 1.
    """
    return F.softplus(fake - real).mean()


def relativistic_generator(fake: Tensor, real: Tensor) -> Tensor:
    """Return softplus(D(real) - D(fake)) of logits in pairs (Jolicoeur-Martineau 2018, section 4.1)."""
    return F.softplus(real - fake).mean()


def finite_difference_penalty(logits: Tensor, perturbed: Tensor, step: float) -> Tensor:
    """Return the mean square of (D(x + step e) - D(x)) / step, where e is standard normal noise.

    Its expectation for small steps is the squared norm of the gradient of D with respect to x: for real x the penalty
    R1 of Mescheder et al. 2018, equation 9, for fake ones R2. It needs no second derivatives (Lin et al. 2025,
    "Diffusion adversarial post-training", section 3.3).
    """
    return ((perturbed - logits) / step).square().mean()


def _binary_cross_entropy(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


ADVERSARIAL = {
    "nonsaturating": (nonsaturating_discriminator, nonsaturating_generator),
    "least_squares": (least_squares_discriminator, least_squares_generator),
    "hinge": (hinge_discriminator, hinge_generator),
    "relativistic": (relativistic_discriminator, relativistic_generator),
}
