import pytest
import torch

from colorgan.codecs import CODECS
from colorgan.codecs.regress import Regress
from tests.faking import fake_cuda

L = torch.full((1, 1, 2, 2), 50.0)


def out_for(ab, scale=110.0):
    """Return the output of a net that `Regress` decodes to this color."""
    return torch.atanh(torch.tensor(ab) / scale)


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_gives_finite_colors_and_losses_however_wild_the_net(name):
    codec = CODECS[name]()
    out = (1000 * torch.randn(2, codec.channels, 8, 8)).requires_grad_()
    gray, truth = torch.full((2, 1, 8, 8), 50.0), torch.full((2, 2, 8, 8), 20.0)
    codec.loss(out, gray, truth).backward()
    assert codec.decode(out, gray).isfinite().all() and out.grad.isfinite().all()


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("size", [8, 4, 3])
def test_a_codec_takes_a_smaller_prediction(name, size):
    codec = CODECS[name]()
    out = torch.randn(2, codec.channels, size, size)
    gray, truth = torch.full((2, 1, 8, 8), 50.0), torch.full((2, 2, 8, 8), 20.0)
    assert codec.decode(out, gray).shape in [(2, 2, size, size), (2, 2, 8, 8)]
    assert codec.loss(out, gray, truth).shape == ()


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_does_not_wait_for_the_device(name):
    codec = CODECS[name]()
    with fake_cuda() as waits:
        codec.to("cuda")
        waits.clear()
        out = torch.empty(2, codec.channels, 4, 4, device="cuda")
        L, ab = torch.empty(2, 1, 8, 8, device="cuda"), torch.empty(2, 2, 8, 8, device="cuda")
        assert codec.loss(out, L, ab).is_cuda
        for decoding in getattr(codec, "decodings", ()):
            codec.set_decoding(decoding)
            assert codec.decode(out, L).is_cuda
    assert not waits


@pytest.mark.parametrize("out, ab", [(0.0, 0.0), (1e4, 110.0), (-1e4, -110.0), (0.549306, 55.0)])
def test_decode_is_a_scaled_tanh(out, ab):
    torch.testing.assert_close(Regress().decode(torch.full((1, 2, 2, 2), out), L), torch.full((1, 2, 2, 2), ab))


def test_scale_is_the_largest_color():
    assert Regress(scale=50).decode(torch.full((1, 2, 2, 2), 99.0), L).unique().tolist() == [50.0]


def test_decode_is_differentiable():
    out = torch.zeros(1, 2, 2, 2, requires_grad=True)
    Regress().decode(out, L).sum().backward()
    assert out.grad.unique().tolist() == [110.0]


def test_decode_gives_float32_of_bfloat16():
    assert Regress().decode(torch.randn(1, 2, 2, 2, dtype=torch.bfloat16), L).dtype == torch.float32


@pytest.mark.parametrize("name", CODECS)
def test_autocast_leaves_decode_and_loss_in_float32(name):
    codec, ab, L = CODECS[name](), 30 * torch.randn(1, 2, 2, 2), torch.full((1, 1, 2, 2), 50.0)
    out = torch.randn(1, codec.channels, 2, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        within = codec.decode(out, L), codec.loss(out, L, ab)
    torch.testing.assert_close(within, (codec.decode(out, L), codec.loss(out, L, ab)))


@pytest.mark.parametrize(
    "loss, value",
    [("l1", (11 + 22 + 0 + 33) / 110 / 4), ("mse", (11**2 + 22**2 + 0 + 33**2) / 110**2 / 4)],
)
def test_the_loss_is_the_mean_over_pixels_and_channels_in_units_of_scale(loss, value):
    truth = torch.tensor([[11.0, -22.0], [0.0, 33.0]]).view(1, 2, 1, 2)
    assert Regress(loss).loss(torch.zeros(1, 2, 1, 2), L, truth).item() == pytest.approx(value)


def test_the_loss_is_in_units_of_another_scale_too():
    assert Regress(scale=10.0).loss(torch.zeros(1, 2, 2, 2), L, torch.full((1, 2, 2, 2), 5.0)).item() == 0.5


@pytest.mark.parametrize("loss", ["l1", "mse"])
def test_the_true_color_costs_nothing(loss):
    truth = [[[[30.0]], [[-60.0]]]]
    assert Regress(loss).loss(out_for(truth), L, torch.tensor(truth)).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("loss, value", [("l1", 22 / 110), ("mse", (22 / 110) ** 2)])
def test_a_smaller_prediction_is_compared_with_the_mean_color_below_it(loss, value):
    truth = torch.tensor([[0.0, 11.0], [33.0, 44.0]]).expand(1, 2, 2, 2)
    assert Regress(loss).loss(torch.zeros(1, 2, 1, 1), L, truth).item() == pytest.approx(value)


@pytest.mark.parametrize("loss", ["l1", "mse"])
def test_the_gradient_leads_to_the_true_color(loss):
    out = torch.zeros(1, 2, 1, 1, requires_grad=True)
    Regress(loss).loss(out, L, torch.tensor([[[[30.0]], [[-60.0]]]])).backward()
    assert out.grad.sign().flatten().tolist() == [-1, 1]


def test_an_unknown_loss_is_refused():
    with pytest.raises((KeyError, ValueError)):
        Regress("l2")
