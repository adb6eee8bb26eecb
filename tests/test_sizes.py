"""Parameter counts of the published systems, from the sheet that the project starts from."""

import pytest
import torch
from torch import nn

from colorgan.nets.fusion import Fusion
from colorgan.nets.hypercolumn import Hypercolumn
from colorgan.nets.iizuka import Iizuka
from colorgan.nets.koala import Koala
from colorgan.nets.resnet18 import ResNet18
from colorgan.nets.zhang import Zhang


@pytest.fixture(autouse=True)
def no_memory():
    with torch.device("meta"):
        yield


def count(*modules, of=nn.Module):
    """Parameters of all modules of a kind, each counted once."""
    found = {p for module in modules for m in module.modules() if isinstance(m, of) for p in m.parameters()}
    return sum(p.numel() for p in found if p.requires_grad)


def test_vgg19_fusion():
    assert count(Fusion(2, pretrained=False)) == 24_086_722


def test_the_body_of_the_cnn():
    assert count(ResNet18(2, pretrained=False).body) == 676_800


def test_the_head_of_the_cnn_without_normalizations():
    assert count(ResNet18(2, pretrained=False).head, of=nn.Conv2d | nn.ConvTranspose2d) == 539_618


def test_zhang():
    assert count(Zhang(313)) == 32_230_393


def test_the_color_net_of_iizuka_without_normalizations():
    assert count(Iizuka(2), of=nn.Conv2d | nn.Linear) == 42_169_826


def test_the_scene_head_of_iizuka():
    assert count(Iizuka(2, classes=205).scenes) == 184_013


def test_larsson():
    assert count(Hypercolumn(64, pretrained=False)) == 147_041_024


def test_the_hypercolumn_has_12417_values():
    assert sum(first.in_channels for first in Hypercolumn(64, pretrained=False).first) == 12_417


def test_the_trained_part_of_koala():
    assert count(Koala(2, pretrained=False, body="resnet10t", logits=1001)) == 6_574_050
