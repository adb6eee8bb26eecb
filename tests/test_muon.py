import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from colorgan.optim.muon import Muon, muon_groups, orthogonalize


def holding(p):
    """Return a module with one weight."""
    return nn.ParameterDict({"weight": nn.Parameter(p.clone())})


def stepped(p, gradients, **options):
    """The weight after one step for each gradient."""
    module = holding(p)
    optimizer = Muon(muon_groups(module), **{"lr": 0.1, **options})
    for gradient in gradients:
        module["weight"].grad = gradient.clone()
        optimizer.step()
    return module["weight"].detach()


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 64), (2, 64, 16), (1, 1, 5)])
def test_all_singular_values_come_near_1(shape):
    values = torch.linalg.svdvals(orthogonalize(torch.randn(shape).double()))
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_the_singular_vectors_stay():
    x = torch.randn(1, 12, 40).double()
    u, _, v = torch.linalg.svd(x, full_matrices=False)
    turned = u.mT @ orthogonalize(x) @ v.mT
    torch.testing.assert_close(turned, torch.diag_embed(turned.diagonal(dim1=1, dim2=2)), atol=1e-8, rtol=0)


def test_a_matrix_of_nothing_stays_nothing():
    assert not orthogonalize(torch.zeros(1, 4, 6)).any()


@pytest.mark.parametrize("shape", [(16, 40), (16, 10, 2, 2)])
def test_a_step_is_about_as_long_as_adams_whatever_the_gradient(shape):
    start = torch.zeros(shape)
    for size in (1e-4, 1.0, 1e4):
        moved = stepped(start, [size * torch.randn(shape)])
        assert moved.square().mean().sqrt() == pytest.approx(0.1 * 0.2, rel=0.25)


def test_a_step_goes_down():
    gradient = torch.randn(6, 3, 3, 3)
    assert (stepped(torch.zeros(6, 3, 3, 3), [gradient]) * gradient).sum() < 0


def test_mixed_precision_does_not_reach_the_iteration():
    gradients = [torch.randn(16, 4, 3, 3)]
    start = torch.zeros(16, 4, 3, 3)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = stepped(start, gradients)
    torch.testing.assert_close(mixed, stepped(start, gradients), rtol=0, atol=0)


def test_momentum_remembers_the_last_gradient():
    one, other = torch.randn(2, 4, 9)
    start = torch.zeros(4, 9)
    forgets, remembers = (stepped(start, [one, other], momentum=m) for m in (0.0, 0.9))
    torch.testing.assert_close(forgets, stepped(stepped(start, [one], momentum=0.0), [other], momentum=0.0))
    assert not torch.allclose(forgets, remembers, atol=1e-3)


def test_a_bias_goes_as_under_adam():
    bias, gradients = torch.randn(5), list(torch.randn(3, 5))
    p = nn.Parameter(bias.clone())
    adam = torch.optim.Adam([p], 0.1, (0.5, 0.9))
    for p.grad in gradients:
        adam.step()
    torch.testing.assert_close(stepped(bias, gradients, betas=(0.5, 0.9)), p.detach())


def test_decay_shrinks_a_matrix_by_the_rate():
    start = torch.ones(4, 6)
    torch.testing.assert_close(stepped(start, [torch.zeros(4, 6)], weight_decay=0.5), 0.95 * start)


def test_a_restored_state_goes_on_as_the_unbroken_one():
    gradients = torch.randn(2, 4, 9)
    first = holding(torch.zeros(4, 9))
    optimizer = Muon(muon_groups(first), 0.1, momentum=0.9)
    first["weight"].grad = gradients[0].clone()
    optimizer.step()
    second = holding(first["weight"].detach())
    restored = Muon(muon_groups(second), 0.1)
    restored.load_state_dict(optimizer.state_dict())
    second["weight"].grad = gradients[1].clone()
    restored.step()
    torch.testing.assert_close(second["weight"].detach(), stepped(torch.zeros(4, 9), gradients, momentum=0.9))


def test_what_is_under_spectral_norm_goes_as_under_adam():
    module = spectral_norm(nn.Conv2d(3, 4, 3))
    matrices, others = (group["params"] for group in Muon(muon_groups(module), 0.1).param_groups)
    assert not matrices
    assert {id(p) for p in others} == {id(p) for p in module.parameters()}


def test_a_closure_gives_the_loss():
    module = holding(torch.ones(2, 3))

    def closure():
        loss = module["weight"].square().sum()
        loss.backward()
        return loss

    assert Muon(muon_groups(module), 0.1).step(closure) == 6
    assert module["weight"].sum() < 6


def test_a_momentum_of_1_is_refused():
    with pytest.raises(ValueError, match="Invalid momentum value: 1"):
        Muon(muon_groups(nn.Linear(2, 2)), 0.1, momentum=1.0)
