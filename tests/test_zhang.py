"""The layers of Zhang 2016, beside what tests/test_nets.py asks of every net."""

import pytest
import torch
from torch import nn

from colorgan.nets.zhang import Zhang

CONV = nn.Conv2d | nn.ConvTranspose2d


def traced(net, L):
    """What each module got and gave in one forward pass: {name: (input, output)}."""
    seen = {}
    for name, module in net.named_modules():
        module.register_forward_hook(lambda _, inputs, out, name=name: seen.update({name: (inputs[0], out)}))
    net(L)
    return seen


def gray(batch=4, height=32, width=32):
    return 100 * torch.rand(batch, 1, height, width)


def test_its_convolutions_are_those_of_the_released_model():
    with torch.device("meta"):
        net = Zhang(313)
    convs = [m for m in net.modules() if isinstance(m, CONV)]
    assert [(m.in_channels, m.out_channels, m.stride[0], m.dilation[0]) for m in convs] == [
        *[(1, 64, 1, 1), (64, 64, 2, 1)],
        *[(64, 128, 1, 1), (128, 128, 2, 1)],
        *[(128, 256, 1, 1), (256, 256, 1, 1), (256, 256, 2, 1)],
        *[(256, 512, 1, 1), (512, 512, 1, 1), (512, 512, 1, 1)],
        *[(512, 512, 1, 2)] * 6,
        *[(512, 512, 1, 1)] * 3,
        *[(512, 256, 2, 1), (256, 256, 1, 1), (256, 256, 1, 1)],
        (256, 313, 1, 1),
    ]
    assert [type(m) for m in convs] == [nn.Conv2d] * 19 + [nn.ConvTranspose2d] + [nn.Conv2d] * 3
    assert [m.kernel_size[0] for m in convs] == [3] * 19 + [4, 3, 3, 1]


def test_the_blocks_have_the_sizes_of_the_table():
    seen = traced(Zhang(2, width=1), gray(1, 224, 224))
    names = [*(f"blocks.{i}" for i in range(7)), "up", "head"]
    assert [seen[name][1].shape[-1] for name in names] == [112, 56, 28, 28, 28, 28, 28, 56, 56]


def test_a_normalization_follows_the_last_relu_of_each_block_but_the_last():
    net = Zhang(2, width=4)
    kinds = [[type(m) for m in block] for block in [*net.blocks, net.up]]
    step = [nn.Conv2d, nn.ReLU]
    end = [nn.BatchNorm2d]
    assert kinds[:7] == [2 * step + end, 2 * step + end, *[3 * step + end] * 5]
    assert kinds[7] == [nn.ConvTranspose2d, nn.ReLU, *2 * step]


def test_the_normalizations_have_no_parameters():
    norms = [m for m in Zhang(2, width=4).modules() if isinstance(m, nn.BatchNorm2d)]
    assert not any(list(m.parameters()) for m in norms)


def test_it_sees_lightness_around_zero():
    L = torch.tensor([0.0, 50, 75, 100]).repeat(4).expand(1, 1, 16, 16)
    assert traced(Zhang(2, width=4), L)["blocks"][0].unique().tolist() == [-0.5, 0, 0.25, 0.5]


def test_other_sizes_are_padded_by_repeating_the_border():
    L = torch.arange(33.0).expand(1, 1, 5, 33)
    seen = traced(Zhang(2, width=4), L)["blocks"][0]
    assert torch.equal(seen, (torch.arange(40.0).clamp(max=32).expand(1, 1, 16, 40) - 50) / 100)


@pytest.mark.parametrize("shape, quarter", [((32, 48), (8, 12)), ((37, 91), (10, 23)), ((1, 1), (1, 1))])
def test_it_predicts_at_a_quarter_of_the_size(shape, quarter):
    assert Zhang(7, width=4)(gray(2, *shape)).shape == (2, 7, *quarter)


def test_preparation_normalizes_what_each_layer_gives():
    net, L = Zhang(20, width=4), gray()
    net.initialize(L)
    seen = traced(net, L)
    outs = [seen[name][1] for name, m in net.named_modules() if isinstance(m, CONV) and m is not net.head]
    assert len(outs) == 22
    for out in outs:
        std, mean = torch.std_mean(out, dim=(0, 2, 3), correction=0)
        torch.testing.assert_close(mean, torch.zeros_like(mean), rtol=0, atol=1e-3)
        torch.testing.assert_close(std, torch.ones_like(std), rtol=0, atol=1e-3)


def test_preparation_on_pictures_without_contrast_leaves_a_net_that_can_learn():
    net = Zhang(20, width=4)
    net.initialize(torch.full((4, 1, 32, 32), 50.0))
    assert 0 < net(gray()).abs().max() < 10


@pytest.mark.parametrize("width", [0, -1])
def test_a_width_without_channels_is_refused(width):
    with pytest.raises(ValueError, match=f"width={width}: at least 1"):
        Zhang(2, width=width)
