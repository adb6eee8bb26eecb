"""The layers of the CNN of Melas-Kyriazi and Han, beside what tests/test_nets.py asks of every net."""

import pytest
import timm
import torch
from torch import nn

from colorgan.nets.resnet18 import ResNet18
from tests.conftest import inputs_of


@pytest.fixture
def net():
    return ResNet18(2, pretrained=False)


def gray(batch=2, height=32, width=48):
    return 100 * torch.rand(batch, 1, height, width)


def test_the_head_has_the_layers_of_the_slide(net):
    convs = [m for m in net.head if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    shapes = [(m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0]) for m in convs]
    assert shapes == [
        (128, 128, 4, 2),
        (128, 128, 3, 1),
        (128, 64, 3, 1),
        (64, 64, 3, 1),
        (64, 32, 3, 1),
        (32, 2, 3, 1),
    ]


def test_all_of_the_head_but_the_last_is_normalized_and_rectified(net):
    tail = [nn.BatchNorm2d, nn.ReLU]
    assert [type(m) for m in net.head] == [nn.ConvTranspose2d, *tail, *[nn.Conv2d, *tail] * 4, nn.Conv2d]


def test_nothing_above_layer2_is_in_a_checkpoint(net):
    parts = {name.split(".")[1] for name in net.state_dict() if name.startswith("body.")}
    assert parts == {"conv1", "bn1", "layer1", "layer2"}


def test_the_head_sees_what_timms_own_network_gives_at_an_eighth(net):
    body = timm.create_model("resnet18", in_chans=1, features_only=True, out_indices=[2]).eval()
    net.eval().body.load_state_dict(body.state_dict(), strict=False)
    L = gray(2, 64, 96)
    (seen,) = inputs_of(net.head, lambda: net(L))
    assert seen.shape == (2, 128, 8, 12)
    torch.testing.assert_close(seen, body((L / 100 - 0.449) / 0.226)[0])


def test_the_body_sees_standardized_lightness(net):
    (seen,) = inputs_of(net.body.conv1, lambda: net(torch.tensor([44.9, 67.5]).repeat(8).expand(1, 1, 16, 16)))
    torch.testing.assert_close(seen, torch.tensor([0.0, 1.0]).repeat(8).expand(1, 1, 16, 16))


def test_other_sizes_are_padded_by_repeating_the_border(net):
    (seen,) = inputs_of(net.body.conv1, lambda: net(torch.arange(33.0).expand(1, 1, 5, 33)))
    assert seen.shape == (1, 1, 16, 40)
    torch.testing.assert_close(seen * 22.6 + 44.9, torch.arange(40.0).clamp(max=32).expand(1, 1, 16, 40))


@pytest.mark.parametrize("shape, quarter", [((32, 48), (8, 12)), ((37, 91), (10, 23)), ((1, 1), (1, 1))])
def test_it_predicts_at_a_quarter_of_the_size(net, shape, quarter):
    assert net(gray(2, *shape)).shape == (2, 2, *quarter)


def test_a_batch_of_one_pixel_trains(net):
    net(gray(1, 1, 1)).square().sum().backward()
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_random_blocks_train_from_the_first_step(net):
    norms = [m for m in net.body.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(m.weight.all() for m in norms)
