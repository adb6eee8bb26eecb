import pytest
import torch

from colorgan.codecs import CODECS
from colorgan.codecs.regress import INITIAL_LOG_SCALE, UNCERTAINTY_WEIGHT, Regress
from colorgan.errors import UserError
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


def test_uncertainty_is_a_third_channel_that_color_does_not_depend_on():
    plain, unsure = Regress(), Regress(uncertainty=True)
    assert (plain.channels, unsure.channels) == (2, 3)
    out = torch.randn(2, 3, 4, 4)
    assert torch.equal(unsure.decode(out, L), plain.decode(out[:, :2], L))
    assert Regress(uncertainty=True).uncertainty(out).shape == (2, 1, 4, 4)


@pytest.mark.parametrize("loss", ["l1", "mse"])
def test_color_learns_with_uncertainty_as_without(loss):
    truth, gradients = 30 * torch.randn(2, 2, 8, 8), []
    out = torch.randn(2, 3, 4, 4)
    for codec in (Regress(loss), Regress(loss, uncertainty=True)):
        given = out[:, : codec.channels].clone().requires_grad_()
        codec.loss(given, L, truth).backward()
        gradients.append(given.grad)
    assert torch.equal(gradients[1][:, :2], gradients[0])
    assert gradients[1][:, 2].all()


def test_the_loss_with_uncertainty_adds_the_likelihood_of_the_error():
    truth = torch.tensor([22.0, -44.0])[:, None, None].expand(1, 2, 2, 2)  # 0.2 and 0.4 of the scale
    out = torch.zeros(1, 3, 2, 2)
    likelihood = 0.3 / torch.tensor(INITIAL_LOG_SCALE).exp() + INITIAL_LOG_SCALE
    expected = Regress().loss(out[:, :2], L, truth) + UNCERTAINTY_WEIGHT * likelihood
    torch.testing.assert_close(Regress(uncertainty=True).loss(out, L, truth), expected)


def test_the_expected_error_is_the_mean_error():
    codec, truth = Regress(uncertainty=True), 20 * torch.randn(1, 2, 64, 64)
    out = torch.zeros(1, 3, 1, 1, requires_grad=True)
    optimizer = torch.optim.Adam([out], 0.05)
    for _ in range(300):
        optimizer.zero_grad()
        codec.loss(out.expand(1, 3, 64, 64), L, truth).backward()
        out.grad[:, :2] = 0  # the color stays gray
        optimizer.step()
    assert codec.uncertainty(out).item() == pytest.approx(truth.abs().mean().item(), rel=0.01)


def test_the_expected_error_is_float32_and_at_first_about_that_of_gray():
    found = Regress(scale=100, uncertainty=True).uncertainty(torch.zeros(1, 3, 2, 2, dtype=torch.bfloat16))
    assert found.dtype == torch.float32 and found.unique().item() == pytest.approx(8.2, abs=0.1)


def test_a_wild_net_has_a_finite_uncertainty():
    codec, out = Regress(uncertainty=True), (1000 * torch.randn(2, 3, 8, 8)).requires_grad_()
    codec.loss(out, L, torch.full((2, 2, 8, 8), 20.0)).backward()
    assert out.grad.isfinite().all() and codec.uncertainty(out).isfinite().all()


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_that_does_not_know_how_sure_it_is_says_so(name):
    codec = CODECS[name]()
    with pytest.raises(UserError, match=r"does not know how sure it is: .*codec\.uncertainty=true"):
        codec.uncertainty(torch.zeros(1, codec.channels, 2, 2))
