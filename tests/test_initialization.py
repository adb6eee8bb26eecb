import pytest
import torch
from torch import nn

from colorgan.nets.hypercolumn import Hypercolumn
from colorgan.nets.initialization import normalize_layers, scale_layers
from colorgan.nets.zhang import Zhang


def stack():
    """Convolutions with wild weights and ReLUs between them."""
    net = nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.ReLU(), nn.ConvTranspose2d(6, 5, 4, 2, 1), nn.ReLU(), nn.Conv2d(5, 4, 3, 2)
    )
    for layer in net[::2]:
        layer.weight.data.mul_(7)
        layer.bias.data.normal_(0, 30)
    return net


def outputs(net, x):
    """What each convolution gives."""
    found = []
    hooks = [m.register_forward_hook(lambda *a: found.append(a[2])) for m in net if not isinstance(m, nn.ReLU)]
    net(x)
    for hook in hooks:
        hook.remove()
    return found


def test_normalized_channels_have_mean_0_and_variance_1():
    net, x = stack(), torch.randn(8, 1, 20, 20)
    normalize_layers(net, x)
    for out in outputs(net, x):
        torch.testing.assert_close(out.mean(dim=(0, 2, 3)), torch.zeros(out.shape[1]), rtol=0, atol=1e-4)
        torch.testing.assert_close(out.std(dim=(0, 2, 3), correction=0), torch.ones(out.shape[1]), rtol=0, atol=1e-4)


def test_a_channel_that_never_changes_is_shifted_alone():
    net = nn.Sequential(nn.Conv2d(1, 2, 3))
    weight, x = net[0].weight.clone(), torch.zeros(2, 1, 8, 8)
    normalize_layers(net, x)
    assert torch.equal(net[0].weight, weight)
    torch.testing.assert_close(net(x), torch.zeros(2, 2, 6, 6))


def test_the_next_layer_sees_normalized_values():
    net, x = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Conv2d(3, 2, 3)), torch.randn(4, 1, 12, 12)
    seen = []
    with net[1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])):
        normalize_layers(net, x)
    torch.testing.assert_close(seen[0], net[0](x), rtol=1e-4, atol=1e-5)


def test_normalized_layers_can_still_be_trained():
    net = stack()
    normalize_layers(net, torch.randn(2, 1, 20, 20))
    net(torch.randn(2, 1, 20, 20)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_scaled_layers_have_mean_square_1_and_compute_the_same():
    net = nn.Sequential(*[m for i in range(3) for m in (nn.Conv2d(3 if i else 1, 3, 3), nn.ReLU())])
    for layer in net[::2]:
        layer.weight.data.mul_(7)
        layer.bias.data.normal_(0, 2)
    x = torch.randn(8, 1, 20, 20)
    before = net(x)
    scale_layers(list(net[::2]), net, x)
    assert [out.square().mean().item() for out in outputs(net, x)] == pytest.approx([1, 1, 1], rel=1e-4)
    ratio = net(x)[before > 1] / before[before > 1]
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio), rtol=1e-3, atol=0)


def test_hooks_are_gone_afterwards():
    net = stack()
    normalize_layers(net, torch.randn(2, 1, 20, 20))
    assert not any(m._forward_hooks for m in net.modules())


def test_hooks_are_gone_after_an_error_too():
    net = stack()
    with pytest.raises(RuntimeError):
        normalize_layers(net, torch.randn(2, 9, 20, 20))
    assert not any(m._forward_hooks for m in net.modules())


def test_zhang_begins_with_a_guess_without_opinions():
    net, L = Zhang(20, width=4), 100 * torch.rand(4, 1, 32, 32)
    net.initialize(L)
    std, mean = torch.std_mean(net(L), dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(std, torch.full((20,), 0.1), rtol=1e-3, atol=0)
    assert mean.abs().max() < 0.5


def test_all_layers_of_a_hypercolumn_count_alike_after_preparation():
    net, L = Hypercolumn(2, pretrained=False, width=4), 100 * torch.rand(4, 1, 64, 64)
    net.initialize(L)
    sizes = [m.square().mean().sqrt().item() for m in net.eval()._feature_maps(L)]
    assert max(sizes) / min(sizes) < 2
