import math

import pytest
import torch

from colorgan.codecs.histograms import Histograms
from colorgan.color import from_hue_chroma, join, split, to_hue_chroma

SPACES = ["hue_chroma", "lab", "lab_joint"]


@pytest.fixture(scope="module")
def cube():
    """L and ab of 17 levels of each of R, G and B, as one picture."""
    levels = torch.linspace(0, 1, 17)
    return split(torch.cartesian_prod(levels, levels, levels).T[None, :, None])


def lightness(L=60.0):
    return torch.full((1, 1, 1, 1), L)


def logits(first, second):
    """Those of two histograms given as {bin: share}."""
    out = torch.full((1, 64, 1, 1), -100.0)
    for offset, shares in ((0, first), (32, second)):
        for i, share in shares.items():
            out[0, offset + i] = math.log(share)
    return out


@pytest.mark.parametrize(
    "rgb, hue, chroma",
    [
        ((1, 0, 0), 0, 1),
        ((0, 1, 0), 1 / 3, 1),
        ((0, 0, 1), 2 / 3, 1),
        ((0.5, 0.25, 0.5), 5 / 6, 0.25),
        ((0.3, 0.3, 0.3), None, 0),
    ],
)
def test_hue_and_chroma_by_hand(rgb, hue, chroma):
    found = to_hue_chroma(*split(torch.tensor(rgb).float().view(1, 3, 1, 1)))
    assert found[1].item() == pytest.approx(chroma, abs=2e-3)
    if hue is not None:
        assert (found[0].item() - hue + 0.5) % 1 - 0.5 == pytest.approx(0, abs=2e-3)


def test_hue_and_chroma_lead_back_to_the_color(cube):
    L, ab = cube
    torch.testing.assert_close(from_hue_chroma(L, *to_hue_chroma(L, ab)), ab, rtol=0, atol=0.05)


@pytest.mark.parametrize("L", [20.0, 50.0, 80.0])
def test_any_lightness_is_kept(L):
    ab = from_hue_chroma(lightness(L), torch.full((1, 1, 1, 1), 0.3), torch.full((1, 1, 1, 1), 0.1))
    hue, chroma = to_hue_chroma(lightness(L), ab)
    assert split(join(lightness(L), ab))[0].item() == pytest.approx(L, abs=0.1)
    assert (hue.item(), chroma.item()) == pytest.approx((0.3, 0.1), abs=1e-3)


@pytest.mark.parametrize("space, channels", [("hue_chroma", 64), ("lab", 64), ("lab_joint", 256)])
def test_channels(space, channels):
    assert Histograms(space).channels == channels


def test_bins_of_lab_hold_equal_shares_of_a_gaussian():
    values = 25 * torch.randn(64_000)
    counts = Histograms("lab")._bin_index(values).bincount(minlength=32)
    assert (counts / 2000 - 1).abs().max() < 0.1


def test_the_loss_of_hue_grows_with_chroma():
    L, out = lightness(), torch.randn(1, 64, 1, 1)
    codec, hue = Histograms(hue_weight=5.0), torch.full((1, 1, 1, 1), 0.02)
    for chroma in (0.01, 0.2):
        ab = from_hue_chroma(L, hue, torch.full((1, 1, 1, 1), chroma))
        expected = -out[0, 32:].log_softmax(0)[int(32 * chroma)] - 5 * chroma * out[0, :32].log_softmax(0)[0]
        assert codec.loss(out, L, ab).item() == pytest.approx(expected.item(), rel=0.01)


def test_the_joint_loss_is_cross_entropy_of_one_bin_of_256():
    out, ab = torch.randn(1, 256, 1, 1), torch.tensor([0.1, -200.0]).view(1, 2, 1, 1)
    expected = -out.log_softmax(1)[0, 8 * 16 + 0]
    assert Histograms("lab_joint").loss(out, lightness(), ab).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("space", SPACES)
def test_the_code_of_a_color_decodes_to_a_color_near_it(space):
    rgb = 0.2 + 0.6 * torch.rand(1, 3, 20, 20)
    L, ab = split(rgb)
    error = (Histograms(space, decoding="mode").reconstruct(L, ab) - ab).norm(dim=1).mean()
    assert error < {"hue_chroma": 3.5, "lab": 5, "lab_joint": 8}[space]


def test_median_expectation_and_mode_of_chroma_by_hand():
    out = logits({0: 1.0}, {0: 0.3, 2: 0.3, 7: 0.4})
    for decoding, value in (("median", 2.5), ("expectation", 0.3 * 0.5 + 0.3 * 2.5 + 0.4 * 7.5), ("mode", 7.5)):
        ab = Histograms(decoding=decoding).decode(out, lightness())
        assert 32 * to_hue_chroma(lightness(), ab)[1].item() == pytest.approx(value, rel=0.01)


def test_the_expected_hue_goes_around_the_circle():
    out = logits({0: 0.5, 31: 0.5}, {4: 1.0})  # either side of red: their plain mean is cyan
    hue, _ = to_hue_chroma(lightness(), Histograms().decode(out, lightness()))
    assert min(hue.item(), 1 - hue.item()) < 0.01


@pytest.mark.parametrize("fading, share", [(0.03, 0.5 * math.sqrt(2) / 32 / 0.03), (0.0, 1.0)])
def test_chroma_fades_where_the_hue_is_uncertain(fading, share):
    out = logits({0: 0.5, 8: 0.5}, {9: 1.0})  # at right angles: a resultant of sqrt(1/2)
    _, chroma = to_hue_chroma(lightness(), Histograms(fading=fading).decode(out, lightness()))
    assert chroma.item() == pytest.approx(share * 9.5 / 32, rel=0.01)


def test_a_certain_hue_does_not_fade():
    _, chroma = to_hue_chroma(lightness(), Histograms().decode(logits({3: 1.0}, {4: 1.0}), lightness()))
    assert chroma.item() == pytest.approx(4.5 / 32, rel=0.01)


def test_histograms_are_resized_before_they_are_decoded():
    out = torch.cat([logits({4: 1.0}, {2: 1.0}), logits({4: 1.0}, {12: 1.0})], dim=3)
    L = torch.full((1, 1, 1, 9), 60.0)
    _, chroma = to_hue_chroma(L, Histograms().decode(out, L))
    assert {round(32 * c, 1) for c in chroma.flatten().tolist()} == {2.5, 12.5}  # a mean of colors has values between


@pytest.mark.parametrize("wrong", [{"fading": -1.0}, {"hue_weight": -1.0}])
def test_a_nonsense_value_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Histograms(**wrong)
