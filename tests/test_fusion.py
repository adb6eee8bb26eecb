"""The layers of the VGG-19 fusion, beside what tests/test_nets.py asks of every net."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from colorgan.nets.fusion import Fusion


def fusion(width=4):
    return Fusion(2, pretrained=False, width=width)


def trace(net, L):
    """What each module got and gave in one forward pass: {name: (input, output)}."""
    seen = {}
    for name, module in net.named_modules():
        module.register_forward_hook(
            lambda _, inputs, out, name=name: seen.update({name: (inputs[0].clone(), out.clone())})
        )
    net(L)
    return seen


@pytest.fixture
def seen():
    return trace(fusion(), 100 * torch.rand(2, 1, 64, 96))


def test_its_convolutions_are_those_of_a_vgg19_to_relu5_3():
    with torch.device("meta"):
        net = fusion(width=64)
    shapes = [(m.in_channels, m.out_channels) for m in net.stages.modules() if isinstance(m, nn.Conv2d)]
    assert shapes == [
        *[(1, 64), (64, 64)],
        *[(64, 128), (128, 128)],
        *[(128, 256), (256, 256), (256, 256), (256, 256)],
        *[(256, 512), (512, 512), (512, 512), (512, 512)],
        *[(512, 512), (512, 512), (512, 512)],
    ]


def test_each_of_its_convolutions_is_followed_by_a_relu():
    kinds = [type(layer) for stage in fusion().stages for layer in stage]
    assert kinds == [nn.Conv2d, nn.ReLU] * 15


def test_the_first_four_pools_take_the_average(seen):
    for i in range(4):
        torch.testing.assert_close(seen[f"stages.{i + 1}"][0], F.avg_pool2d(seen[f"stages.{i}"][1], 2))


def test_the_fifth_pool_takes_the_maximum(seen):
    assert torch.equal(seen["up1"][0], F.max_pool2d(seen["stages.4"][1], 2))


def test_pool4_and_pool3_are_added_without_a_non_linearity(seen):
    pool3, pool4 = seen["stages.3"][0], seen["stages.4"][0]
    torch.testing.assert_close(seen["up2"][0], seen["up1"][1] + pool4)
    torch.testing.assert_close(seen["up3"][0], seen["up2"][1] + pool3)


def test_it_sees_lightness_as_it_is():
    L = 100 * torch.rand(1, 1, 32, 64)
    assert torch.equal(trace(fusion(), L)["stages.0.0"][0], L)


def test_other_sizes_are_padded_by_repeating_the_border():
    seen = trace(fusion(), torch.arange(33.0).expand(1, 1, 5, 33))["stages.0.0"][0]
    assert seen.shape == (1, 1, 32, 64)
    assert torch.equal(seen, torch.arange(64.0).clamp(max=32).expand(1, 1, 32, 64))


def test_new_layers_start_from_truncated_normal_weights():
    net = fusion(width=16)
    for layer in (net.stages[0][0], net.up1, net.up2, net.up3):
        assert layer.weight.abs().max() <= 0.04 and not layer.bias.any()
        # a normal distribution cut at two deviations keeps 0.8796 of its deviation
        assert layer.weight.std().item() == pytest.approx(0.8796 * 0.02, rel=0.15)


def test_a_narrow_one_starts_from_no_weights():
    with pytest.raises(ValueError, match="width=4: weights to start from have width=64"):
        Fusion(2, pretrained=True, width=4)
