from math import exp, log

import pytest
import torch

from colorgan.losses import ADVERSARIAL, finite_difference_penalty

REAL, FAKE = [2.0, -1.0], [0.5, -3.0]  # logits


def sigmoid(x):
    return 1 / (1 + exp(-x))


def mean(values):
    return sum(values) / len(values)


def cross_entropy(logits, label):
    return mean([-label * log(sigmoid(x)) - (1 - label) * log(1 - sigmoid(x)) for x in logits])


def discriminator_loss(name, real=REAL, fake=FAKE, real_label=1.0):
    return ADVERSARIAL[name][0](torch.tensor(real), torch.tensor(fake), real_label).item()


def generator_loss(name, fake):
    """Of fake logits, beside real ones of 0 where the loss takes these."""
    return ADVERSARIAL[name][1](fake, *([torch.zeros_like(fake)] if name == "relativistic" else []))


def gradients(name, real_label=1.0):
    """Of the discriminator's loss with respect to the real and the fake logits, at 0.5."""
    logits = torch.full((2,), 0.5, requires_grad=True)
    ADVERSARIAL[name][0](logits[:1], logits[1:], real_label).backward()
    return logits.grad.tolist()


@pytest.mark.parametrize(
    "name, value",
    [
        ("nonsaturating", cross_entropy(REAL, 1) + cross_entropy(FAKE, 0)),
        ("least_squares", mean([1.0, 4.0]) + mean([0.25, 9.0])),
        ("hinge", mean([0.0, 2.0]) + mean([1.5, 0.0])),
        ("relativistic", mean([log(1 + exp(0.5 - 2)), log(1 + exp(-3 + 1))])),
    ],
)
def test_the_discriminators_loss(name, value):
    assert discriminator_loss(name) == pytest.approx(value)


@pytest.mark.parametrize(
    "name, value",
    [
        ("nonsaturating", cross_entropy(FAKE, 1)),
        ("least_squares", mean([0.25, 16.0])),
        ("hinge", 1.25),
        ("relativistic", mean([log(1 + exp(-0.5)), log(1 + exp(3))])),
    ],
)
def test_the_generators_loss(name, value):
    assert generator_loss(name, torch.tensor(FAKE)).item() == pytest.approx(value)


@pytest.mark.parametrize(
    "name, value",
    [
        ("nonsaturating", cross_entropy(REAL, 0.9) + cross_entropy(FAKE, 0)),
        ("least_squares", mean([1.1**2, 1.9**2]) + mean([0.25, 9.0])),
    ],
)
def test_a_smoothed_label_is_that_of_the_real_logits(name, value):
    assert discriminator_loss(name, real_label=0.9) == pytest.approx(value)


@pytest.mark.parametrize("name", ["nonsaturating", "least_squares"])
def test_smoothing_leaves_the_fake_term_alone(name):
    """The loss changes with the fake logits by the same amount whatever the real label."""
    by_fake = [
        discriminator_loss(name, real_label=t) - discriminator_loss(name, fake=[7.0], real_label=t) for t in (1.0, 0.7)
    ]
    assert by_fake[0] == pytest.approx(by_fake[1], rel=1e-4)


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_smoothing_leaves_the_gradient_of_the_fake_logits_alone(name):
    assert gradients(name, 1.0)[1] == gradients(name, 0.7)[1]


@pytest.mark.parametrize("name, best", [("nonsaturating", log(9)), ("least_squares", 0.9)])
def test_a_smoothed_label_makes_overconfidence_cost(name, best):
    costs = [discriminator_loss(name, real=[best + step], real_label=0.9) for step in (-0.5, 0, 0.5)]
    assert min(costs) == costs[1]


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_the_discriminator_raises_real_logits_and_lowers_fake_ones(name):
    real, fake = gradients(name)
    assert real < 0 < fake


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_the_generator_raises_fake_logits(name):
    fake = torch.zeros(1, 1, 4, 4, requires_grad=True)
    generator_loss(name, fake).backward()
    assert (fake.grad < 0).all()


@pytest.mark.parametrize("name", ["nonsaturating", "hinge"])
def test_the_generators_gradient_does_not_saturate(name):
    fake = torch.tensor([-100.0], requires_grad=True)
    generator_loss(name, fake).backward()
    assert fake.grad.item() == pytest.approx(-1)


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_wild_logits_give_finite_losses(name, logit):
    wild = torch.full((2, 1, 4, 4), logit)
    losses = ADVERSARIAL[name][0](wild, -wild, 0.9), generator_loss(name, wild)
    assert all(loss.isfinite() and loss.shape == () for loss in losses)


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_the_loss_is_a_mean_however_many_logits(name):
    assert discriminator_loss(name, REAL * 3, FAKE * 3) == pytest.approx(discriminator_loss(name))


def test_the_relativistic_loss_compares_the_logits_of_the_same_photograph():
    real, fake = torch.tensor([5.0, -5.0]), torch.tensor([4.0, -6.0])
    assert ADVERSARIAL["relativistic"][0](real, fake, 1.0) < ADVERSARIAL["relativistic"][0](real, fake.flip(0), 1.0)


def test_the_finite_difference_penalty_is_the_squared_norm_of_the_gradient():
    torch.manual_seed(0)
    x, gradient = torch.randn(20_000, 3), torch.tensor([1.0, -2.0, 0.5])
    logits, perturbed = x @ gradient, (x + 0.1 * torch.randn_like(x)) @ gradient
    assert finite_difference_penalty(logits, perturbed, 0.1) == pytest.approx(5.25, rel=0.05)
