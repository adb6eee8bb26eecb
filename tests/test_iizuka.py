"""The layers of Iizuka 2016 and its scenes, beside what tests/test_nets.py asks of every net."""

import pytest
import torch
from torch import nn

from colorgan.nets.iizuka import Iizuka
from tests.conftest import inputs_of


def iizuka(**more):
    return Iizuka(2, **{"global_size": 32, "width": 4} | more)


def gray(batch=2, height=32, width=32):
    return 100 * torch.rand(batch, 1, height, width)


def layers(part):
    """(channels, stride) of each convolution, channels of each linear layer, "up" for an upsampling."""
    found = []
    for m in part.modules():
        if isinstance(m, nn.Conv2d):
            found.append((m.out_channels, m.stride[0]))
        elif isinstance(m, nn.Linear):
            found.append(m.out_features)
        elif isinstance(m, nn.Upsample):
            found.append("up")
    return found


def trained(module):
    """Whether a loss reached all weights of a module, or (False) none of them."""
    (answer,) = {bool(p.grad is not None and p.grad.any()) for p in module.parameters() if p.dim() > 1}
    return answer


@pytest.mark.parametrize(
    "part, expected",
    [
        ("low", [(64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1)]),
        ("globe", [(512, 2), (512, 1), (512, 2), (512, 1)]),
        ("dense", [1024, 512]),
        ("globe_to_fusion", [256]),
        ("mid", [(512, 1), (256, 1)]),
        ("fusion", [(256, 1)]),
        ("color", [(128, 1), "up", (64, 1), (64, 1), "up", (32, 1), (2, 1)]),
        ("scenes", [256, 205]),
    ],
)
def test_each_part_has_the_layers_of_the_table(part, expected):
    with torch.device("meta"):
        net = Iizuka(2, classes=205)
    assert layers(getattr(net, part)) == expected


def test_all_convolutions_but_that_of_the_fusion_and_the_last_are_normalized_3x3_and_rectified():
    modules = [m for m in iizuka().modules() if not list(m.children())]
    convs = [i for i, m in enumerate(modules) if isinstance(m, nn.Conv2d)]
    assert [modules[i].kernel_size[0] for i in convs] == [3] * 12 + [1] + [3] * 5
    assert all(isinstance(modules[i + 1], nn.BatchNorm2d) and isinstance(modules[i + 2], nn.ReLU) for i in convs[:-1])
    assert convs[-1] == len(modules) - 1


@pytest.mark.parametrize("global_size, values", [(224, 7 * 7 * 512), (64, 2 * 2 * 512), (32, 512)])
def test_the_first_linear_layer_sees_all_global_features(global_size, values):
    with torch.device("meta"):
        assert Iizuka(2, global_size=global_size).dense[0].in_features == values


@pytest.mark.parametrize("shape, half", [((32, 48), (16, 24)), ((37, 91), (19, 46)), ((1, 1), (1, 1))])
def test_it_predicts_at_half_the_size(shape, half):
    assert iizuka()(gray(2, *shape)).shape == (2, 2, *half)


def test_it_sees_lightness_around_zero():
    net = iizuka()
    (seen,) = inputs_of(net.low, lambda: net(torch.tensor([0.0, 25, 50, 100]).repeat(8).expand(1, 1, 32, 32)))
    assert seen.unique().tolist() == [-0.5, -0.25, 0, 0.5]


def test_the_global_stream_sees_the_whole_picture_as_a_square():
    net = iizuka(global_size=64)
    own, copy = inputs_of(net.low, lambda: net(torch.tensor([0.0, 100]).repeat_interleave(44).expand(1, 1, 20, 88)))
    assert own.shape == (1, 1, 24, 88) and copy.shape == (1, 1, 64, 64)
    torch.testing.assert_close(copy[..., :24], torch.full((1, 1, 64, 24), -0.5))
    torch.testing.assert_close(copy[..., -24:], torch.full((1, 1, 64, 24), 0.5))


@pytest.mark.parametrize("shape, times", [((32, 32), 1), ((32, 64), 2), ((64, 64), 2)])
def test_low_level_features_are_computed_once_at_the_size_of_the_global_stream(shape, times):
    net = iizuka()
    assert len(inputs_of(net.low, lambda: net(gray(2, *shape)))) == times


def test_shared_features_give_the_scenes_that_a_copy_would():
    net, L = iizuka(classes=5).eval(), gray()
    copy = net.scenes(net.dense(net.globe(net.low(L.clone() / 100 - 0.5))))
    torch.testing.assert_close(net.forward_with_scenes(L)[1], copy)


def test_global_features_are_the_same_at_each_place():
    net = iizuka()
    (seen,) = inputs_of(net.fusion, lambda: net(gray(3, 32, 48)))
    assert seen.shape == (3, 16 + 16, 4, 6)
    assert torch.equal(seen[:, :16], seen[:, :16, :1, :1].expand(3, 16, 4, 6))
    assert not torch.equal(seen[:1, :16], seen[1:2, :16])


@pytest.mark.parametrize("height, width", [(32, 32), (37, 91)])
def test_colors_are_the_same_with_scenes_and_without(height, width):
    net, L = iizuka(classes=5).eval(), gray(3, height, width)
    out, logits = net.forward_with_scenes(L)
    assert torch.equal(out, net(L))
    assert logits.shape == (3, 5)


def test_colors_alone_spare_the_scene_head():
    net = iizuka(classes=5)
    assert inputs_of(net.scenes, lambda: net(gray())) == []


@pytest.mark.parametrize("classes", [None, 1])
def test_without_several_classes_there_is_no_scene_head(classes):
    assert list(iizuka(classes=classes).state_dict()) == list(iizuka().state_dict())
    assert not any(name.startswith("scenes") for name in iizuka(classes=classes).state_dict())


def test_scenes_train_the_global_features_and_not_the_colors():
    net = iizuka(classes=5)
    _, logits = net.forward_with_scenes(gray(4))
    nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 3])).backward()
    reached = {name: trained(part) for name, part in net.named_children()}
    shared = dict.fromkeys(["low", "globe", "dense", "scenes"], True)
    assert reached == shared | dict.fromkeys(["mid", "globe_to_fusion", "fusion", "color"], False)


@pytest.mark.parametrize("global_size", [32, 64])
@pytest.mark.parametrize("side", [1, 32])
def test_a_batch_of_one_picture_trains(global_size, side):
    net = iizuka(global_size=global_size)
    net(gray(1, side, side)).square().sum().backward()
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_two_values_are_normalized_over_the_batch():
    norm = iizuka().globe[0][-2]
    norm(torch.randn(2, 32, 1, 1))
    assert norm.num_batches_tracked == 1


@pytest.mark.parametrize("size", [0, -32, 16, 48, 225])
def test_a_size_that_does_not_halve_five_times_is_refused(size):
    with pytest.raises(ValueError, match=f"global_size={size}: a multiple of 32"):
        Iizuka(2, global_size=size, width=4)


@pytest.mark.parametrize("width", [1, 0, -1])
def test_a_width_that_leaves_a_layer_without_channels_is_refused(width):
    with pytest.raises(ValueError, match=f"width={width}: at least 2"):
        Iizuka(2, width=width)
