import pytest
import torch
from omegaconf import OmegaConf

from colorgan.config import construct
from colorgan.discriminators import DISCRIMINATORS
from colorgan.discriminators.compact import Compact
from colorgan.discriminators.patchgan import PatchGAN
from tests.probing import descend, lab, parameters, silent_leaves, without_gradient

SMALL = {"projected": {"body": "resnet10t"}}


def discriminator_of(name):
    node = OmegaConf.create({"name": name, "width": 4, **SMALL.get(name, {})})
    return construct(DISCRIMINATORS, node, channels=3, pretrained=False)


def judging(discriminator):
    """Lab to logits."""
    return lambda lab: discriminator(discriminator.features(lab))


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_discriminator_trains_all_its_weights(name):
    discriminator = discriminator_of(name)
    descend(judging(discriminator), lab(4))
    assert not without_gradient(discriminator)
    assert all(p.grad.isfinite().all() for p in discriminator.parameters() if p.requires_grad)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_discriminator_uses_all_its_layers(name):
    discriminator = discriminator_of(name)
    silent = silent_leaves(discriminator, judging(discriminator), lab(2))
    assert not [leaf for leaf in silent if not leaf.startswith("body.")]  # a body ends in a classifier


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_discriminator_gives_logits_of_each_picture(name):
    out = judging(discriminator_of(name))(lab(5))
    assert len(out) == 5 and out.min() < 0 < out.max()


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_what_a_discriminator_sees_depends_on_nothing_that_it_learns(name):
    seen = discriminator_of(name).features(lab(2))
    assert seen and not any(maps.requires_grad for maps in seen)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_discriminator_passes_gradients_on_to_the_picture(name):
    x = lab(2).requires_grad_()
    judging(discriminator_of(name))(x).sum().backward()
    assert x.grad.isfinite().all() and all(x.grad[:, channel].any() for channel in range(3))


def test_the_patchgan_is_as_large_as_the_papers():
    with torch.device("meta"):
        assert parameters(PatchGAN(4)) == 2_767_553


@pytest.mark.parametrize("size, logits", [(256, 32), (32, 4)])
def test_the_patchgan_judges_one_patch_every_eight_pixels(size, logits):
    assert judging(PatchGAN(3, 4))(lab(2, size, size)).shape == (2, 1, logits, logits)


def test_the_compact_discriminator_gives_a_logit_for_each_16_pixels():
    assert judging(Compact(3, width=4))(lab(2, 64, 37)).shape == (2, 1, 4, 3)
    with pytest.raises(ValueError, match="width=0"):
        Compact(3, width=0)


def test_it_sees_each_pixel_of_lightness_and_the_mean_of_color():
    judge = judging(Compact(3, width=4).eval())
    x = lab(1)
    for channel, moved in ((0, True), (1, False)):
        rolled = x.clone()  # the same values in another order within each 4x4
        rolled[:, channel] = x[:, channel].unflatten(1, (8, 4)).flip(2).flatten(1, 2)
        assert torch.allclose(judge(x), judge(rolled), atol=1e-6) is not moved
