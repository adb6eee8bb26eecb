import math

import numpy as np
import pytest
import torch
from kornia.color import hsv_to_rgb, rgb_to_hsv
from skimage.color import lab2rgb, rgb2lab

from colorgan import color as color_module
from colorgan.color import from_hue_chroma, join, join_unbounded, split, to_hue_chroma
from tests.faking import fake_cuda

# sRGB (D65) -> CIE Lab, from the literature
PRIMARIES = {
    (1.0, 0.0, 0.0): (53.24, 80.09, 67.20),
    (0.0, 1.0, 0.0): (87.73, -86.18, 83.18),
    (0.0, 0.0, 1.0): (32.30, 79.19, -107.86),
    (1.0, 1.0, 0.0): (97.14, -21.55, 94.48),
    (0.0, 1.0, 1.0): (91.11, -48.09, -14.13),
    (1.0, 0.0, 1.0): (60.32, 98.23, -60.82),
    (1.0, 1.0, 1.0): (100.0, 0.0, 0.0),
    (0.0, 0.0, 0.0): (0.0, 0.0, 0.0),
    (0.5, 0.5, 0.5): (53.39, 0.0, 0.0),
}
OUTSIDE = [(80.0, -60.0, -60.0), (50.0, 128.0, 128.0), (50.0, -128.0, -128.0), (97.0, 40.0, -40.0), (3.0, 90.0, 0.0)]


def pixels(values):
    """A list of three-channel pixels as (B, 3, 1, 1)."""
    return torch.tensor(values, dtype=torch.float32)[:, :, None, None]


def lab_of(rgb):
    return torch.cat(split(rgb), dim=1)


def joined(lab):
    return join(lab[:, :1], lab[:, 1:])


def by_skimage(convert, picture):
    """In float64, rounded at the end."""
    return torch.from_numpy(convert(picture.movedim(1, -1).double().numpy())).movedim(-1, 1).float()


def joined_everywhere(lab):
    """`joined` as devices other than the CPU do it."""
    linear = color_module._into_gamut_dense(*lab.unbind(dim=1))
    return color_module.to_srgb(torch.stack(linear, dim=1)).clamp(0, 1)


@pytest.fixture
def rgb():
    return torch.rand(2, 3, 24, 32)


@pytest.fixture
def lab():
    """Random Lab colors, most of them outside sRGB."""
    return torch.cat([100 * torch.rand(2, 1, 40, 40), 256 * torch.rand(2, 2, 40, 40) - 128], dim=1)


@pytest.mark.parametrize("color", PRIMARIES)
def test_split_gives_the_known_values(color):
    np.testing.assert_allclose(lab_of(pixels([color])).flatten(), PRIMARIES[color], atol=0.02)


@pytest.mark.parametrize("color", PRIMARIES)
def test_join_gives_the_known_values(color):
    np.testing.assert_allclose(joined(lab_of(pixels([color]))).flatten(), color, atol=2e-3)


def test_split_agrees_with_scikit_image(rgb):
    torch.testing.assert_close(lab_of(rgb), by_skimage(rgb2lab, rgb), atol=1e-4, rtol=0)


def test_join_agrees_with_scikit_image_in_gamut(rgb):
    lab = lab_of(rgb)
    torch.testing.assert_close(joined(lab), by_skimage(lab2rgb, lab), atol=1e-5, rtol=0)


def test_dark_colors_agree_with_scikit_image(rgb):
    lab = lab_of(rgb / 20)
    torch.testing.assert_close(lab, by_skimage(rgb2lab, rgb / 20), atol=1e-4, rtol=0)
    torch.testing.assert_close(joined(lab), by_skimage(lab2rgb, lab), atol=1e-5, rtol=0)


def test_split_gives_lightness_and_color_of_the_picture(rgb):
    L, ab = split(rgb)
    assert (L.shape, ab.shape) == ((2, 1, 24, 32), (2, 2, 24, 32))


def test_round_trip(rgb):
    torch.testing.assert_close(joined(lab_of(rgb)), rgb, atol=1e-4, rtol=0)


@pytest.mark.parametrize("channel", range(3))
@pytest.mark.parametrize("face", [0.0, 1.0])
def test_round_trip_on_the_border_of_the_gamut(rgb, channel, face):
    rgb[:, channel] = face
    torch.testing.assert_close(joined(lab_of(rgb)), rgb, atol=1e-4, rtol=0)


def test_round_trip_of_8_bit_pictures_is_exact():
    rgb = torch.randint(0, 256, (1, 3, 64, 64))
    assert torch.equal((joined(lab_of(rgb / 255)) * 255).round().long(), rgb)


def test_every_gray_stays_gray():
    L = torch.linspace(0, 100, 256).view(1, 1, 16, 16)
    rgb = join(L, torch.zeros(1, 2, 16, 16))
    assert (rgb.amax(1) - rgb.amin(1)).max() < 1e-4


@pytest.mark.parametrize("off", [1e-6, 1e-3, 0.1])
def test_near_gray_keeps_its_color(off):
    rgb = pixels([(0.5 + off, 0.5, 0.5 - off), (off, off, 0), (1, 1 - off, 1)])
    torch.testing.assert_close(joined(lab_of(rgb)), rgb, atol=1e-5, rtol=0)


@pytest.mark.parametrize("color", OUTSIDE)
def test_a_color_outside_the_gamut_keeps_its_lightness(color):
    assert split(joined(pixels([color])))[0].item() == pytest.approx(color[0], abs=0.5)


def test_any_color_keeps_its_lightness(lab):
    torch.testing.assert_close(split(joined(lab))[0], lab[:, :1], atol=0.5, rtol=0)


def test_any_color_keeps_its_hue(lab):
    hue = torch.nn.functional.normalize(lab[:, 1:], dim=1)
    ab = split(joined(lab))[1]
    across = ab[:, 0] * hue[:, 1] - ab[:, 1] * hue[:, 0]
    along = (ab * hue).sum(1)
    assert across.abs().max() < 0.5
    assert along.min() > -0.01


def test_a_color_outside_the_gamut_loses_no_more_chroma_than_it_must(lab):
    kept = split(joined(lab))[1]
    more = torch.cat([lab[:, :1], kept + 0.02 * lab[:, 1:]], dim=1)
    rgb = by_skimage(lab2rgb, more)
    inside_but_lowered = (lab[:, 1:] - kept).norm(dim=1) > 0.03 * lab[:, 1:].norm(dim=1)
    clipped = (rgb.amin(1) <= 0) | (rgb.amax(1) >= 1)
    assert clipped[inside_but_lowered].all()


def test_chroma_never_grows(lab):
    assert (split(joined(lab))[1].norm(dim=1) <= lab[:, 1:].norm(dim=1) + 0.01).all()


def test_a_pixel_outside_the_gamut_leaves_the_others_alone(rgb):
    lab = lab_of(rgb)
    lab[0, :, 3, 4] = torch.tensor(OUTSIDE[0])
    painted = joined(lab)
    painted[0, :, 3, 4] = rgb[0, :, 3, 4]
    torch.testing.assert_close(painted, rgb, atol=1e-4, rtol=0)


def test_other_devices_give_the_colors_of_the_cpu(lab, rgb):
    for colors in (lab, lab_of(rgb)):
        assert torch.equal(joined_everywhere(colors), joined(colors))


def test_other_devices_give_the_gradient_of_the_cpu(lab):
    lab.requires_grad_()
    weights = torch.randn(2, 3, 40, 40)
    gradients = [torch.autograd.grad((f(lab) * weights).sum(), lab)[0] for f in (joined, joined_everywhere)]
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-6, rtol=1e-6)
    assert gradients[0].any()


def test_the_gradient_of_a_color_out_of_gamut_treats_the_scale_of_its_chroma_as_a_constant():
    lab = pixels([OUTSIDE[0]]).double()
    kept = split(joined(lab))[1].norm() / lab[:, 1:].norm()
    ab = lab[:, 1:].float().requires_grad_()
    scaled = lab[:, 1:].float().mul(kept).requires_grad_()
    found = torch.autograd.grad(join(lab[:, :1], ab)[:, 2].sum(), ab)[0]
    expected = torch.autograd.grad(join_unbounded(lab[:, :1], scaled)[:, 2].sum(), scaled)[0]
    torch.testing.assert_close(found, kept.float() * expected, rtol=1e-3, atol=0)


def test_hue_is_that_of_kornia(rgb):
    rgb[0, :, :8] = (4 * rgb[0, :, :8]).round() / 4  # grays, and colors of which two channels are equal
    chroma = rgb.amax(1, keepdim=True) - rgb.amin(1, keepdim=True)
    expected = rgb_to_hsv(rgb)[:, :1] / (2 * math.pi)
    torch.testing.assert_close(color_module._rgb_to_hue(rgb, chroma), expected, atol=1e-6, rtol=0)


def test_a_hue_just_below_red_is_below_1():
    hue = color_module._rgb_to_hue(pixels([(1.0, 0.0, 1e-9)]), torch.ones(1, 1, 1, 1))
    assert 0 <= hue < 1


def test_the_color_of_a_hue_is_that_of_kornia():
    hue = torch.linspace(0, 1, 1201)[None, None, None, :-1]
    ones = torch.ones_like(hue)
    expected = hsv_to_rgb(torch.cat([2 * math.pi * hue, ones, ones], dim=1))
    torch.testing.assert_close(color_module._hue_to_rgb(hue), expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("convert", [join, join_unbounded, to_hue_chroma, lambda L, ab: split(torch.cat([L, ab], 1))])
def test_a_conversion_does_not_wait_for_the_device(convert):
    with fake_cuda() as waits:
        L, ab = torch.empty(2, 1, 8, 8, device="cuda"), torch.empty(2, 2, 8, 8, device="cuda")
        convert(L, ab)
    assert not waits


def test_hue_and_chroma_are_converted_back_without_a_wait():
    with fake_cuda() as waits:
        L = torch.empty(2, 1, 8, 8, device="cuda")
        assert from_hue_chroma(L, L, L).is_cuda
    assert not waits


def test_join_leaves_its_arguments_alone(lab):
    before = lab.clone()
    joined(lab)
    assert torch.equal(lab, before)


@pytest.mark.parametrize("L", [0.0, 1e-3, 50.0, 99.99, 100.0])
@pytest.mark.parametrize("chroma", [0.0, 1.0, 110.0, 1000.0, 1e6])
def test_extremes_are_colors(L, chroma):
    rgb = joined(pixels([(L, chroma, -chroma), (L, -chroma, chroma)]))
    assert ((rgb >= 0) & (rgb <= 1)).all()


@pytest.mark.parametrize("L, rgb", [(0.0, 0.0), (100.0, 1.0)])
def test_black_and_white_take_no_color(L, rgb):
    torch.testing.assert_close(joined(pixels([(L, 60, -60)])), torch.full((1, 3, 1, 1), rgb), atol=5e-3, rtol=0)


@pytest.mark.parametrize("L, rgb", [(-3.0, 0.0), (103.0, 1.0)])
def test_a_lightness_out_of_range_is_black_or_white(L, rgb):
    torch.testing.assert_close(joined(pixels([(L, 0, 0)])), torch.full((1, 3, 1, 1), rgb), atol=1e-6, rtol=0)


def test_autocast_changes_nothing(rgb, lab):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        within = lab_of(rgb), joined(lab)
    assert all(torch.equal(a, b) for a, b in zip(within, (lab_of(rgb), joined(lab)), strict=True))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_whatever_comes_in_float32_comes_out(rgb, dtype):
    L, ab = split(rgb.to(dtype))
    assert {L.dtype, ab.dtype, join(L.to(dtype), ab.to(dtype)).dtype} == {torch.float32}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_another_type_costs_only_its_own_rounding(rgb, dtype):
    assert torch.equal(lab_of(rgb.to(dtype)), lab_of(rgb.to(dtype).float()))


@pytest.mark.parametrize("value", [0.0, 1e-8, 0.04045, 0.5, 1.0])
def test_the_gradient_of_split_is_finite(value):
    rgb = torch.full((1, 3, 2, 2), value, requires_grad=True)
    lab_of(rgb).sum().backward()
    assert rgb.grad.isfinite().all()


def test_the_gradient_of_join_is_finite_outside_the_gamut_too(lab):
    lab.requires_grad_()
    joined(lab).sum().backward()
    assert lab.grad.isfinite().all()


def test_unbounded_colors_are_those_of_join_in_gamut(rgb):
    torch.testing.assert_close(join_unbounded(*split(rgb)), join(*split(rgb)), atol=2e-3, rtol=0)


@pytest.mark.parametrize("color", OUTSIDE)
def test_the_chroma_of_an_unbounded_color_has_a_gradient(color):
    lab, factor = pixels([color]), torch.ones((), requires_grad=True)
    join_unbounded(lab[:, :1], factor * lab[:, 1:]).square().sum().backward()
    assert factor.grad > 0.1


def test_a_batch_of_none_is_none():
    assert joined(lab_of(torch.zeros(0, 3, 4, 4))).shape == (0, 3, 4, 4)
