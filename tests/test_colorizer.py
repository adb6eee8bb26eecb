"""The Colorizer by itself, and that all color comes from its `predict`."""

from pathlib import Path

import pytest
import torch

from colorgan import config
from colorgan.codecs.regress import Regress
from colorgan.color import split
from colorgan.colorizer.colorizer import Colorizer, Conditions
from colorgan.nets.base import EmbeddingNet
from colorgan.nets.unet import UNet
from colorgan.systems import SYSTEMS, TABLES
from colorgan.systems.adversarial import Part
from tests.probing import gray


@pytest.fixture
def colorizer():
    return Colorizer(UNet(2, size=32, width=4), Regress(), size=32).eval()


class Orange(Colorizer):
    """A colorizer that overrides the one method."""

    def predict(self, conditions, out=None):
        return torch.tensor([30.0, 60.0]).view(1, 2, 1, 1).expand(len(conditions.L), 2, 4, 4)


@pytest.fixture
def orange():
    return Orange(UNet(2, size=32, width=4), Regress(), size=32).eval()


def test_what_predict_returns_is_what_is_painted(orange):
    L, ab = split(orange.paint([torch.full((3, 20, 30), 0.5)])[0][None])
    assert torch.allclose(ab.mean(dim=(0, 2, 3)), torch.tensor([30.0, 60.0]), atol=1)
    assert torch.allclose(orange(L), torch.tensor([30.0, 60.0]).view(1, 2, 1, 1).expand_as(ab))


def test_what_predict_returns_is_what_the_discriminator_gets(orange):
    got = []

    class Recorder(torch.nn.Module):
        def features(self, lab):
            got.append(lab)
            return [lab]

    experiment = config.load("experiments/gan.yaml", [], TABLES)
    system = SYSTEMS["adversarial"](orange, Recorder(), experiment)
    system.generate(Part(1.0, torch.zeros(2, 2, *gray(2).shape[-2:]), Conditions(gray(2)), real=[]))
    assert got[0][:, 1:].flatten(2).unique(dim=2).flatten().tolist() == [30.0, 60.0] * 2


def test_no_other_code_decodes():
    files = [file for file in Path("colorgan").rglob("*.py") if "codec.decode(" in file.read_text(encoding="utf-8")]
    assert files == [Path("colorgan/colorizer/colorizer.py")]


def test_an_output_that_is_given_is_not_computed_again(colorizer):
    conditions = Conditions(gray(2))
    out = colorizer.run_net(conditions)
    colorizer.net.forward = None
    assert torch.equal(colorizer.predict(conditions, out), colorizer.codec.decode(out, conditions.L))


def test_a_cached_embedding_reaches_the_net(colorizer):
    class Embedding(EmbeddingNet):
        def embed(self, L):
            return L.mean(dim=(1, 2, 3))[:, None]

        def forward(self, L, embedding=None):
            embedding = self.embed(L) if embedding is None else embedding
            return embedding[:, :, None, None].expand(-1, 2, 4, 4)

    colorizer.net = Embedding()
    L = gray(2)
    cached = colorizer.run_net(Conditions(L, torch.tensor([[1.0], [2.0]])))
    assert cached[:, 0, 0, 0].tolist() == [1, 2]
    assert torch.equal(colorizer.run_net(Conditions(L))[:, 0, 0, 0], L.mean(dim=(1, 2, 3)))


def test_it_survives_a_state_dict(colorizer):
    other = Colorizer(UNet(2, size=32, width=4), Regress(), size=32).eval()
    other.load_state_dict(colorizer.state_dict())
    assert torch.equal(other(gray(1).fill_(50)), colorizer(gray(1).fill_(50)))
