import pytest
import torch

from colorgan.codecs import CODECS
from colorgan.codecs.axis_bins import AxisBins
from colorgan.codecs.distribution import sample_with_shared_noise
from colorgan.errors import UserError

SEVERAL = [name for name, codec in CODECS.items() if hasattr(codec, "set_decoding")]


def test_pixels_that_predict_alike_draw_alike():
    logits = torch.randn(1, 7, 1, 1).expand(3, 7, 4, 5)
    shares = sample_with_shared_noise(logits, seed=3)
    torch.testing.assert_close(shares, shares[:1, :, :1, :1].expand_as(shares))


def test_draws_follow_the_annealed_distribution():
    shares = torch.tensor([0.25, 0.3, 0.45])
    logits = shares.log().view(1, 3, 1, 1)
    drawn = torch.stack([sample_with_shared_noise(logits, seed).argmax(dim=1) for seed in range(3000)])
    frequency = drawn.flatten().bincount(minlength=3) / 3000
    annealed = shares ** (1 / 0.38)
    assert (frequency - annealed / annealed.sum()).abs().max() < 0.03  # three standard errors


def test_one_seed_draws_one_sample_and_another_seed_another():
    logits = torch.zeros(1, 50, 2, 2)
    assert torch.equal(sample_with_shared_noise(logits, 1), sample_with_shared_noise(logits, 1))
    assert not torch.equal(sample_with_shared_noise(logits, 1), sample_with_shared_noise(logits, 2))
    assert not torch.equal(sample_with_shared_noise(logits, 1), sample_with_shared_noise(logits, 1, stream=1))


@pytest.mark.parametrize("name", SEVERAL)
def test_each_decoding_gives_finite_colors_of_one_shape(name):
    codec = CODECS[name]()
    out, L = 5 * torch.randn(2, codec.channels, 6, 5), torch.full((2, 1, 6, 5), 50.0)
    for decoding in codec.decodings:
        codec.set_decoding(decoding, seed=1)
        ab = codec.decode(out, L)
        assert ab.shape == (2, 2, 6, 5) and ab.dtype == torch.float32 and ab.isfinite().all()


@pytest.mark.parametrize("name", SEVERAL)
def test_a_decoding_passes_a_gradient_on_where_it_says_so(name):
    codec = CODECS[name]()
    for decoding in codec.decodings:
        codec.set_decoding(decoding)
        if codec.differentiable:
            out = torch.randn(1, codec.channels, 2, 2, requires_grad=True)
            codec.decode(out, torch.full((1, 1, 2, 2), 50.0)).sum().backward()
            assert out.grad.any()


@pytest.mark.parametrize("name", SEVERAL)
def test_samples_of_a_wide_distribution_differ_and_of_a_narrow_one_do_not(name):
    codec = CODECS[name]()
    L, flat = torch.full((1, 1, 2, 2), 60.0), torch.zeros(1, codec.channels, 2, 2)
    sure = torch.full_like(flat, -50.0)
    sure[:, [3, codec.channels // 2 + 3]] = 50.0
    if name == "bins":
        sure[:, 3] = -50.0

    def sampled(out):
        colors = []
        for seed in range(4):
            codec.set_decoding("sample", seed)
            colors.append(codec.decode(out, L))
        return torch.stack(colors).std(dim=0).max()

    assert sampled(flat) > 5
    assert sampled(sure) < 0.5


@pytest.mark.parametrize("name", SEVERAL)
def test_an_unknown_decoding_is_one_line_that_lists_them(name):
    with pytest.raises(UserError, match="mode, sample"):
        CODECS[name]().set_decoding("modus")


def test_axis_bins_cover_every_srgb_color_in_steps_of_ten():
    ab = torch.tensor([[[[-86.2, 98.2, 4.9, 5.1]], [[-107.8, 94.4, -4.9, -5.1]]]])
    expected = torch.tensor([[[[-90.0, 100, 0, 10]], [[-110.0, 90, 0, -10]]]])
    assert torch.equal(AxisBins().reconstruct(ab[:, :1], ab), expected)


def test_the_loss_of_axis_bins_is_the_cross_entropy_of_both_axes():
    out = torch.randn(1, 50, 1, 1)
    ab = torch.tensor([-120.0, 30.0]).view(1, 2, 1, 1)
    expected = -out[0, :25].log_softmax(0)[0] - out[0, 25:].log_softmax(0)[15]
    assert AxisBins().loss(out, ab[:, :1], ab).item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_mean_of_axis_bins_by_hand():
    out = torch.full((1, 50, 1, 1), -100.0)
    out[0, [12, 13, 25 + 24]] = 0.0
    assert AxisBins().decode(out, out).flatten().tolist() == pytest.approx([5, 120])
