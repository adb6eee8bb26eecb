"""Exported graphs compute what torch does, at sizes and batches that were not traced."""

import pytest
import torch
from torch import nn

from colorgan.codecs import CODECS
from colorgan.codecs.axis_bins import AxisBins
from colorgan.codecs.base import Codec
from colorgan.codecs.bins import Bins
from colorgan.codecs.histograms import Histograms
from colorgan.codecs.regress import Regress
from colorgan.colorizer.colorizer import Colorizer, resize_color
from colorgan.errors import UserError
from colorgan.exporting import onnx_file
from colorgan.exporting.graph import trace
from colorgan.exporting.parity import TOLERANCE, largest_difference
from colorgan.nets import NETS
from colorgan.nets.base import Net
from tests.probing import net_of

METADATA = {"colorgan": "0"}
VARIANTS = {  # of codecs, whose decoding is another graph
    "regress": [{"activation": name} for name in ("tanh", "sigmoid", "linear")] + [{"uncertainty": True}],
    "bins": [{"decoding": name} for name in Bins.decodings if name != "sample"],
    "axis_bins": [{"decoding": name} for name in AxisBins.decodings if name != "sample"],
    "histograms": [
        {"space": space, "decoding": name}
        for space in ("hue_chroma", "lab", "lab_joint")
        for name in Histograms.decodings
        if name != "sample"
    ],
}


class Quarter(Net):
    """The cheapest net with an output of a quarter of the size."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(1, channels, 4, 4, padding=2)

    def forward(self, L):
        return self.conv(L / 25 - 2)


def colorizer_of(net, codec):
    """A colorizer whose normalizations have seen pictures."""
    net.train()(100 * torch.rand(4, 1, 40, 40))
    return Colorizer(net, codec, 64).eval()


def differences(colorizer, tmp_path, hints=False):
    """The largest difference to torch of the program of torch.export, and of ONNX."""
    program = trace(colorizer, hints)
    run = onnx_file.write(program, tmp_path / "x.onnx", METADATA, "float32")
    return [largest_difference(colorizer, run, hints) for run in (program.module(), run)]


@pytest.mark.parametrize("name", NETS)
def test_a_net_exported_is_the_net(name, tmp_path):
    assert max(differences(colorizer_of(net_of(name), Regress()), tmp_path)) <= TOLERANCE


def test_every_codec_has_variants_here():
    assert VARIANTS.keys() == CODECS.keys()


class Several(Codec):
    """Decodes slices of the output by each of several codecs, all in one graph, for tracing is slow."""

    differentiable = False

    def __init__(self, codecs):
        super().__init__()
        self.codecs = nn.ModuleList(codecs)
        self.channels = sum(codec.channels for codec in codecs)

    def decode(self, out, L):
        """Return (B, 2 * codecs, H, W)."""
        parts = out.split([codec.channels for codec in self.codecs], dim=1)
        colors = (codec.decode(part, L) for codec, part in zip(self.codecs, parts, strict=True))
        return torch.cat([resize_color(ab, L) for ab in colors], dim=1)

    def loss(self, out, L, ab): ...

    def reconstruct(self, L, ab): ...


@pytest.mark.parametrize("name", VARIANTS)
def test_a_codec_exported_is_the_codec(name, tmp_path):
    codec = Several([CODECS[name](**options) for options in VARIANTS[name]])
    assert max(differences(colorizer_of(Quarter(codec.channels), codec), tmp_path)) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", NETS)
def test_every_net_goes_with_every_codec(name, codec, tmp_path):
    codec = CODECS[codec]()
    colorizer = colorizer_of(net_of(name, channels=codec.channels), codec)
    assert max(differences(colorizer, tmp_path)) <= TOLERANCE


def test_hints_are_a_second_input(tmp_path):
    net = net_of("encoder_unet", hints=True)
    nn.init.normal_(net.attention.out.weight)  # attention starts as the identity
    colorizer = colorizer_of(net, Regress())
    assert max(differences(colorizer, tmp_path, hints=True)) <= TOLERANCE
    run = onnx_file.runner(tmp_path / "x.onnx")
    assert (
        largest_difference(colorizer, lambda L: run(L, torch.zeros(len(L), 3, *L.shape[2:]))) <= TOLERANCE
    )  # none given


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["instance", "spectral"])
def test_other_norms_are_exported(norm, tmp_path):
    assert max(differences(colorizer_of(net_of("unet", norm=norm), Regress()), tmp_path)) <= TOLERANCE


def test_a_wrong_graph_is_noticed():
    one, other = (colorizer_of(Quarter(2), Regress()) for _ in range(2))
    assert largest_difference(one, trace(other).module()) > TOLERANCE
    assert largest_difference(one, one) == float("inf")  # color at the size of L, not at that of the prediction


def test_samples_have_no_graph():
    codec = Bins(decoding="sample")
    with pytest.raises(UserError, match="an exported graph has no noise; choose --decode annealed, mean, mode"):
        trace(Colorizer(Quarter(codec.channels), codec, 64))


def test_a_net_without_hints_has_no_second_input():
    with pytest.raises(UserError, match="takes no hints"):
        trace(colorizer_of(Quarter(2), Regress()), hints=True)


class Deciding(Quarter):
    """A net whose graph depends on values."""

    def forward(self, L):
        return super().forward(L) if L.mean() > 50 else super().forward(-L)


def test_a_net_that_cannot_be_traced_says_why_in_one_line():
    with pytest.raises(UserError, match="Deciding: torch cannot trace it") as error:
        trace(Colorizer(Deciding(2), Regress(), 64))
    assert "\n" not in str(error.value)
