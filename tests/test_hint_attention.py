import pytest
import torch

from colorgan.nets.hint_attention import HintAttention


@pytest.fixture
def attention():
    """As after some training, for a new one adds nothing."""
    attention = HintAttention(8)
    torch.nn.init.normal_(attention.out.weight)
    return attention


def hinted(height=6, width=9, places=((1, 2),)):
    """A feature map, and hints of one color at some of its places."""
    x, color, present = (
        torch.randn(2, 8, height, width),
        torch.zeros(2, 2, height, width),
        torch.zeros(2, 1, height, width),
    )
    for row, column in places:
        color[:, :, row, column], present[:, :, row, column] = 1.0, 1.0
    return x, color, present


def test_a_new_one_adds_nothing():
    x, color, present = hinted()
    assert torch.equal(HintAttention(8)(x, color, present), x)


def test_without_hints_nothing_is_added(attention):
    x, color, present = hinted(places=())
    assert torch.equal(attention(x, color, present), x)


def test_a_hint_reaches_every_place(attention):
    x, color, present = hinted()
    added = attention(x, color, present) - x
    assert (added.abs().amax(dim=1) > 0).all()


def test_pictures_of_a_batch_do_not_see_each_others_hints(attention):
    x, color, present = hinted()
    present[1] = 0
    added = attention(x, color, present) - x
    assert added[0].any()
    assert not added[1].any()


def test_what_a_place_without_a_hint_holds_is_not_seen(attention):
    x, color, present = hinted()
    other = torch.where(present > 0, color, torch.randn_like(color))
    assert torch.allclose(attention(x, color, present), attention(x, other, present))


def test_places_that_look_like_the_hint_take_more_of_it(attention):
    """The key that stands for no hint has a logit of 0, so that a query along the hint's key is drawn to the hint."""
    x, color, present = hinted()
    with torch.no_grad():
        attention.key.weight.copy_(attention.query.weight)
        attention.key.bias.copy_(attention.query.bias)
        attention.falloff.fill_(-20)
        x[:, :, 4, 7] = x[:, :, 1, 2]
        x[:, :, 4, 6] = -20 * x[:, :, 1, 2]
        added = (attention(x, color, present) - x).norm(dim=1)
    assert (added[:, 4, 7] > added[:, 4, 6]).all()


def test_with_a_large_falloff_a_hint_stays_near(attention):
    x, color, present = hinted()
    with torch.no_grad():
        attention.falloff.fill_(2)
    added = (attention(x, color, present) - x).norm(dim=1)
    assert (added[:, 1, 2] > 1e-3).all()
    assert (added[:, 5, 8] < 1e-6).all()


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_wild_features_give_finite_sums(attention, scale):
    x, color, present = hinted()
    with torch.autocast("cpu", torch.bfloat16):
        assert attention(scale * x, color, present).isfinite().all()
