"""EfficientNet-Lite0 without timm: its maps, its names and its start are those of timm."""

import pytest
import timm
import torch
from torch import nn

from colorgan.nets.bodies import make_encoder
from colorgan.nets.efficientnet_lite import NAME, EfficientNetLite0


@pytest.fixture
def nets():
    """Ours and timm's, with the same weights, none of which is as it starts."""
    theirs, ours = timm.create_model(NAME, features_only=True, in_chans=1), EfficientNetLite0()
    for norm in (m for m in theirs.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, 0, 0.1)
        norm.running_mean.normal_(0, 0.1)
        norm.running_var.uniform_(0.5, 1.5)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("shape", [(64, 96), (37, 91), (1, 5)])
def test_its_maps_are_those_of_timm(nets, training, shape):
    x = torch.randn(2, 1, *shape)
    for ours, theirs in zip(*(net.train(training)(x) for net in nets), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_its_weights_have_the_names_and_the_order_of_timm(nets):
    ours, theirs = nets
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]


def test_it_says_of_itself_what_timm_says(nets):
    ours, theirs = nets
    assert ours.feature_info.channels() == theirs.feature_info.channels()
    assert ours.feature_info.reduction() == theirs.feature_info.reduction()
    assert {key: theirs.pretrained_cfg[key] for key in ("mean", "std")} == ours.pretrained_cfg


def test_it_starts_from_weights_as_large_as_those_of_timm():
    torch.manual_seed(0)
    ours, theirs = EfficientNetLite0(), timm.create_model(NAME, features_only=True, in_chans=1)
    for (name, one), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        if one.ndim == 4 and one.numel() > 1000:
            assert one.std().item() == pytest.approx(other.std().item(), rel=0.15), name


def test_coloring_takes_it_and_published_weights_take_timm(tmp_path):
    assert isinstance(make_encoder(NAME, pretrained=False), EfficientNetLite0)
    torch.save(timm.create_model(NAME).state_dict(), tmp_path / "weights.pth")
    assert not isinstance(make_encoder(NAME, False, str(tmp_path / "weights.pth")), EfficientNetLite0)
