"""Where a hint helps most."""

import pytest
import torch

from colorgan.codecs.regress import Regress
from colorgan.colorizer.colorizer import Colorizer
from colorgan.colorizer.hints import Hint
from colorgan.colorizer.suggesting import suggest
from colorgan.errors import UserError
from tests.hinting import encoder, obedient


@pytest.fixture
def picture():
    """Dark, but for a bright square in the lower left, where `obedient` is unsure."""
    picture = torch.full((3, 96, 96), 0.1)
    picture[:, 64:80, 16:32] = 0.9
    return picture


def inside(hint):
    return 16 <= hint.x < 32 and 64 <= hint.y < 80


def test_the_place_is_where_most_is_unsure(picture):
    assert inside(suggest(obedient(), picture, []))


def test_what_a_hint_has_settled_is_not_suggested_again(picture):
    known = [Hint(23, 71, (90, 90, 90), radius=8)]
    assert not inside(suggest(obedient(), picture, known))


def test_the_color_is_what_is_predicted_there(picture):
    red, green, blue = suggest(obedient(), picture, []).color
    assert max(red, green, blue) - min(red, green, blue) <= 1  # `obedient` paints gray
    assert red > 150


def test_the_place_is_in_pixels_of_the_photograph(picture):
    large = torch.nn.functional.interpolate(picture[None], scale_factor=5)[0][:, :400]
    hint = suggest(obedient(), large, [])
    assert 80 <= hint.x < 160
    assert 320 <= hint.y < 400


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (31, 7), (300, 20)])
def test_a_picture_of_any_shape_has_a_place(shape):
    hint = suggest(encoder(), torch.rand(3, *shape), [])
    assert 0 <= hint.x < shape[1]
    assert 0 <= hint.y < shape[0]


def test_a_place_is_tried_with_all_others_in_one_batch(picture):
    model = obedient()
    suggest(model, picture, [])
    assert model.net.batches == [1, 32]


def test_a_model_that_takes_no_hints_says_so(picture):
    model = obedient()
    model.net.takes_hints = False
    with pytest.raises(UserError, match="takes no hints"):
        suggest(model, picture, [])


def test_a_model_that_knows_no_uncertainty_says_so(picture):
    model = encoder()
    model.codec = Regress()
    with pytest.raises(UserError, match=r"codec\.uncertainty=true"):
        suggest(Colorizer(model.net, model.codec, 32), picture, [])
