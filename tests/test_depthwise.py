"""Depthwise convolutions: in float32 on a CPU under autocast, and otherwise as before."""

from copy import deepcopy

import pytest
import torch
from timm.layers import Conv2dSame
from torch import nn

from colorgan.discriminators.projected import Projected
from colorgan.nets.depthwise import use_float32_depthwise
from colorgan.nets.efficientnet_lite import SameConv
from colorgan.nets.encoder_unet import EncoderUNet
from tests.faking import bfloat16, fake_cuda, move_to_cuda


def depthwise(**options):
    return use_float32_depthwise(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8, **options)))


def types_under_autocast(net, call):
    """The types that convolutions compute in under autocast to bfloat16: by whether they are depthwise."""
    types = {True: set(), False: set()}
    for conv in (m for m in net.modules() if isinstance(m, nn.Conv2d)):
        conv.register_forward_hook(lambda m, _, out: types[1 < m.groups == m.in_channels].add(out.dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        call()
    return types


def test_a_depthwise_convolution_is_not_rounded():
    net, x = depthwise(), torch.randn(2, 8, 6, 6)
    exact = net(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(net(x), exact)
        assert not torch.equal(nn.Conv2d(8, 8, 3)(x).float(), exact)


def test_its_gradient_is_not_rounded():
    net = depthwise()
    gradients = []
    for is_mixed in (False, True):
        net.zero_grad()
        torch.manual_seed(0)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=is_mixed):
            net(torch.randn(2, 8, 6, 6)).square().mean().backward()
        gradients.append(net[0].weight.grad.clone())
    assert torch.equal(*gradients)


def gradients(conv, x):
    """What a convolution makes of x, and the gradients of x and of its own parameters."""
    y = conv(x.requires_grad_())
    slope = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    return [y, *torch.autograd.grad(y, [x, *conv.parameters()], slope)]


@pytest.mark.parametrize(
    ("kind", "padding"), [(nn.Conv2d, 2), (nn.Conv2d, (3, 1)), (nn.Conv2d, 0), (SameConv, 0), (Conv2dSame, 0)]
)
@pytest.mark.parametrize("stride", [1, 2, (1, 2)])
@pytest.mark.parametrize("shape", [(7, 10), (6, 5), (9, 8)])
def test_its_own_gradient_is_that_of_torch(kind, padding, stride, shape):
    torch.manual_seed(0)
    plain = kind(8, 8, 5, stride, padding, groups=8)
    conv = use_float32_depthwise(deepcopy(plain))
    x = torch.randn(2, 8, *shape)
    expected, actual = (gradients(c, x.clone()) for c in (plain, conv))
    assert "WeightGradient" in actual[0].grad_fn.name()
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kernel", "side", "is_own"), [(5, 16, True), (3, 4, True), (3, 5, False)])
def test_the_gradient_is_its_own_where_that_is_faster(kernel, side, is_own):
    y = use_float32_depthwise(nn.Conv2d(8, 8, kernel, padding=1, groups=8))(torch.randn(1, 8, side, side))
    assert ("WeightGradient" in y.grad_fn.name()) == is_own


@pytest.mark.parametrize("options", [{"padding_mode": "replicate"}, {"dilation": 2}, {"dtype": torch.float64}])
def test_the_gradient_of_what_the_kernel_does_not_know_is_that_of_torch(options):
    torch.manual_seed(0)
    plain = nn.Conv2d(8, 8, 5, padding=2, groups=8, **options)
    x = torch.randn(1, 8, 12, 12, dtype=plain.weight.dtype)
    actual = gradients(use_float32_depthwise(deepcopy(plain)), x.clone())
    torch.testing.assert_close(actual, gradients(plain, x))


def test_frozen_weights_stay_frozen():
    conv = use_float32_depthwise(nn.Conv2d(8, 8, 5, padding=2, groups=8, bias=False).requires_grad_(False))
    y = conv(torch.randn(1, 8, 4, 4, requires_grad=True))
    y.sum().backward()
    assert "WeightGradient" not in y.grad_fn.name() and conv.weight.grad is None


def test_weights_can_be_trained_after_an_error():
    conv = use_float32_depthwise(nn.Conv2d(8, 8, 5, padding=2, groups=8))
    with pytest.raises(RuntimeError):
        conv(torch.randn(1, 9, 4, 4))
    assert conv.weight.requires_grad


@pytest.mark.parametrize("conv", [nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3, groups=2), nn.Conv2d(1, 4, 3)])
def test_other_convolutions_are_computed_as_ever(conv):
    kind = type(conv)
    assert type(use_float32_depthwise(conv)) is kind


def test_doing_it_twice_changes_nothing():
    net = depthwise()
    kind = type(net[0])
    assert type(use_float32_depthwise(net)[0]) is kind and isinstance(net[0], nn.Conv2d)


def test_a_layer_keeps_its_name_and_may_be_copied():
    net, x = depthwise(bias=False), torch.randn(1, 8, 4, 4)
    assert type(net[0]).__name__ == "Conv2d" and list(net.state_dict()) == ["0.weight"]
    assert torch.equal(deepcopy(net)(x), net(x))


def test_a_net_in_another_type_computes_in_its_type():
    assert depthwise().double()(torch.randn(1, 8, 4, 4, dtype=torch.float64)).dtype == torch.float64


def test_on_a_gpu_autocast_rounds_it():
    with fake_cuda(), bfloat16():
        net = depthwise()
        move_to_cuda(net)
        assert net(torch.randn(1, 8, 4, 4, device="cuda")).dtype == torch.bfloat16


def test_the_encoder_and_its_decoder_do_so():
    net = EncoderUNet(2, pretrained=False, body="test_efficientnet", width=4, depthwise=True)
    types = types_under_autocast(net, lambda: net(100 * torch.rand(2, 1, 32, 32)))
    assert types == {True: {torch.float32}, False: {torch.bfloat16}}


def test_the_body_of_the_projected_discriminator_does_so():
    net = Projected(3, pretrained=False, body="test_efficientnet", width=4)
    types = types_under_autocast(net, lambda: net(net.features(torch.rand(2, 3, 32, 32))))
    assert types == {True: {torch.float32}, False: {torch.bfloat16}}
