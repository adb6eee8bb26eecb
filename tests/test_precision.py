"""What needs full float32 precision has it where matrix products and convolutions round to TF32 or bfloat16."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from colorgan import color
from colorgan.codecs import CODECS
from colorgan.hints import draw_hints
from colorgan.nets.resunet import ResUNet
from colorgan.optim.muon import UPDATE_RMS, Muon, muon_groups
from colorgan.precision import full_precision
from tests.rounding import BFLOAT16, TF32, Rounding

BITS = {"high": TF32, "medium": BFLOAT16}
CONVERSIONS = {
    "split": lambda L, ab: torch.cat(color.split(color.join(L, ab)), dim=1),
    "join": color.join,
    "join_unbounded": color.join_unbounded,
    "to_hue_chroma": lambda L, ab: torch.cat(color.to_hue_chroma(L, ab), dim=1),
    "from_hue_chroma": lambda L, ab: color.from_hue_chroma(L, ab[:, :1] / 200 + 0.5, ab[:, 1:] / 200 + 0.5),
}
MAKERS = {
    "regress": [{}],
    "bins": [{}],
    "axis_bins": [{}],
    "histograms": [{"space": space} for space in ("hue_chroma", "lab", "lab_joint")],
}
DECODINGS = [
    pytest.param(name, options, decoding, id="-".join([name, *options.values(), decoding]))
    for name, variants in MAKERS.items()
    for options in variants
    for decoding in getattr(CODECS[name], "decodings", ("only",))
]


@pytest.fixture(autouse=True)
def highest():
    """The default precision after each test."""
    yield
    torch.set_float32_matmul_precision("highest")


@pytest.fixture(params=BITS)
def low_precision(request):
    """A mode that rounds as CUDA does under `torch.set_float32_matmul_precision`."""
    torch.set_float32_matmul_precision(request.param)
    return Rounding(BITS[request.param])


def lab(size=16):
    """Random Lab colors, many of them out of gamut."""
    return 100 * torch.rand(2, 1, size, size), 200 * torch.rand(2, 2, size, size) - 100


def ill_conditioned(condition, *shape):
    """Matrices whose singular values fall evenly from 1 to 1 / condition on a logarithmic scale."""
    u, _, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    return u * condition ** -torch.linspace(0, 1, min(shape[-2:])) @ v


def singular_values_of_update(before, after, lr):
    """Those of the matrix that Muon scaled and subtracted."""
    update = (before - after.detach()).flatten(1)
    return torch.linalg.svdvals(update / (lr * UPDATE_RMS * max(update.shape) ** 0.5))


@pytest.mark.parametrize(
    "product",
    [
        torch.matmul,
        torch.cdist,
        F.linear,
        lambda a, b: torch.einsum("ij,kj->ik", a, b),
        lambda a, b: F.conv2d(a[:, :, None, None], b[:, :, None, None]),
    ],
    ids=["matmul", "cdist", "linear", "einsum", "convolution"],
)
def test_the_emulation_rounds_every_product(low_precision, product):
    a, b = torch.randn(2, 48, 48)
    with low_precision:
        error = (product(a, b) - product(a.double(), b.double())).abs().max()
    assert 1e-4 < error < 1


def test_the_emulation_rounds_to_bfloat16_as_torch_does():
    a, b = torch.randn(2, 8, 8)
    torch.set_float32_matmul_precision("medium")
    with Rounding(BFLOAT16):
        product = a @ b
        expected = a.bfloat16().float() @ b.bfloat16().float()
    assert torch.equal(product, expected)


def test_products_in_full_precision_are_not_rounded(low_precision):
    a, b = torch.randn(2, 8, 8)
    with low_precision, full_precision():
        product = a @ b
    assert torch.equal(product, a @ b)


@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_the_former_precision_is_restored(precision):
    torch.set_float32_matmul_precision(precision)
    matmul = torch.backends.cuda.matmul
    former = matmul.fp32_precision
    with pytest.raises(KeyError), full_precision():
        assert matmul.fp32_precision == "ieee"
        raise KeyError
    assert (torch.get_float32_matmul_precision(), matmul.fp32_precision) == (precision, former)


def test_the_precision_of_the_newer_interface_is_restored_too():
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    with full_precision():
        assert torch.backends.cuda.matmul.fp32_precision == "ieee"
    assert torch.backends.cuda.matmul.fp32_precision == "tf32"


@pytest.mark.parametrize("name", CONVERSIONS)
def test_colors_are_converted_in_full_precision(low_precision, name):
    L, ab = lab()
    with low_precision:
        converted = CONVERSIONS[name](L, ab)
    assert torch.equal(converted, CONVERSIONS[name](L, ab))


def test_the_gradient_of_a_color_has_full_precision(low_precision):
    L, ab = lab()

    def gradient():
        leaf = ab.clone().requires_grad_()
        return torch.autograd.grad(color.join_unbounded(L, leaf).square().sum(), leaf)[0]

    with low_precision:
        rounded = gradient()
    assert torch.equal(rounded, gradient())


@pytest.mark.parametrize(("name", "options", "decoding"), DECODINGS)
def test_color_is_decoded_in_full_precision(low_precision, name, options, decoding):
    codec = CODECS[name](**options)
    if decoding != "only":
        codec.set_decoding(decoding)
    out, (L, _) = 3 * torch.randn(2, codec.channels, 16, 16), lab()
    with low_precision:
        ab = codec.decode(out, L)
    assert torch.equal(ab, codec.decode(out, L))


@pytest.mark.parametrize(
    ("name", "options"), [(name, options) for name, variants in MAKERS.items() for options in variants]
)
def test_the_color_loss_has_full_precision(low_precision, name, options):
    codec = CODECS[name](**options)
    out, (L, ab) = torch.randn(2, codec.channels, 8, 8), lab()
    with low_precision:
        loss = codec.loss(out, L, ab)
    assert loss == codec.loss(out, L, ab)


@pytest.mark.parametrize("shape", [(24, 160), (160, 24), (32, 32)])
@pytest.mark.parametrize("condition", [10, 100, 200])
def test_an_update_of_muon_is_orthogonal(low_precision, condition, shape):
    layer = nn.Linear(shape[1], shape[0], bias=False)
    before = layer.weight.detach().clone()
    layer.weight.grad = ill_conditioned(condition, *shape)
    with low_precision:
        Muon(muon_groups(layer), lr=1.0).step()
    values = singular_values_of_update(before, layer.weight, lr=1.0)
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_updates_of_muon_stay_bounded_on_gradients_of_a_net(low_precision):
    L, ab = lab(32)
    target = F.avg_pool2d(ab, 4) / 110
    net = ResUNet(channels=2, width=16, blocks=1)
    matrices = [p for p in net.parameters() if p.ndim > 1]
    optimizer = Muon(muon_groups(net), lr=1e-2)
    for _ in range(3):
        F.l1_loss(net(L).tanh(), target).backward()
        before = [p.detach().clone() for p in matrices]
        with low_precision:
            optimizer.step()
        for old, new in zip(before, matrices, strict=True):
            assert singular_values_of_update(old, new, lr=1e-2).max() < 1.3


def test_hints_are_as_exact_as_in_float32(low_precision):
    _, ab = lab(64)
    torch.manual_seed(0)
    exact = draw_hints(ab, 1.0)
    torch.manual_seed(0)
    with low_precision:
        assert torch.equal(draw_hints(ab, 1.0), exact)
