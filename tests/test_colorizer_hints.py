"""Hints of a person, from their file to the painted picture."""

import json
from pathlib import Path

import pytest
import torch

from colorgan.codecs.regress import Regress
from colorgan.color import split
from colorgan.colorizer.colorizer import Colorizer
from colorgan.colorizer.hints import Hint, as_entry, rasterize, read_hints
from colorgan.errors import UserError
from colorgan.nets.unet import UNet
from tests.hinting import encoder, obedient

RED = (200, 30, 30)
HALF = torch.full((3, 64, 96), 0.5)


def colors(picture):
    """ab (H, W, 2) of a picture."""
    return split(picture[None])[1][0].movedim(0, -1)


def test_a_hint_covers_a_square_around_its_place():
    mask = rasterize([Hint(10, 5, RED, radius=2)], (40, 60), (40, 60))[0, 2]
    assert mask.nonzero().amin(0).tolist() == [3, 8]
    assert mask.nonzero().amax(0).tolist() == [7, 12]
    assert mask.sum() == 25


def test_a_hint_moves_and_shrinks_with_the_picture():
    mask = rasterize([Hint(40, 20, RED, radius=3.5)], (80, 120), (20, 30))[0, 2]
    assert mask.nonzero().tolist() == [[4, 9], [4, 10], [5, 9], [5, 10]]


@pytest.mark.parametrize(("x", "y"), [(0, 0), (999, 0), (0, 999), (999, 999), (500, 3)])
def test_a_hint_covers_a_pixel_however_small_the_picture_becomes(x, y):
    assert rasterize([Hint(x, y, RED, radius=0)], (1000, 1000), (8, 8))[0, 2].sum() == 1


def test_only_the_ab_of_a_color_counts():
    painted = rasterize([Hint(1, 1, RED, radius=0)], (4, 4), (4, 4))
    _, ab = split(torch.tensor(RED).view(1, 3, 1, 1) / 255)
    assert torch.allclose(painted[0, :2, 1, 1], ab[0, :, 0, 0], atol=1e-4)


@pytest.mark.parametrize(("x", "y"), [(96, 0), (0, 64), (1e9, 3)])
def test_a_hint_outside_of_the_picture_is_one_line(x, y):
    with pytest.raises(UserError, match=r"hint at x=.*outside of the picture of 96x64"):
        obedient().paint([HALF], hints=[[Hint(x, y, RED)]])


def test_a_picture_takes_the_color_of_its_hint_and_keeps_its_lightness():
    painted = obedient().paint([HALF], hints=[[Hint(48, 32, RED, radius=60)]])[0]
    assert torch.allclose(split(painted[None])[0], split(HALF[None])[0], atol=0.01)
    a, b = colors(painted)[32, 48]
    assert a > 20
    assert b > 10


def test_each_picture_of_a_batch_has_its_own_hints():
    everywhere = Hint(48, 32, RED, radius=100)
    painted = obedient().paint([HALF, HALF, HALF], hints=[[], [everywhere], []])
    assert [colors(picture).abs().mean() > 10 for picture in painted] == [False, True, False]


def test_hints_of_one_picture_need_no_list_of_lists():
    hints = [Hint(48, 32, RED, radius=100)]
    model = obedient()
    assert torch.equal(model.colorize(HALF, hints=hints), model.colorize(HALF[None], hints=[hints])[0])


def test_a_batch_needs_hints_for_each_picture():
    with pytest.raises(UserError, match="1 lists of hints for 2 pictures"):
        obedient().colorize(HALF.expand(2, -1, -1, -1), hints=[[Hint(1, 1, RED)]])


def test_no_hints_are_as_none():
    model = encoder()
    assert torch.equal(model.paint([HALF], hints=[[]])[0], model.paint([HALF])[0])


def test_a_net_that_takes_no_hints_says_so():
    model = Colorizer(UNet(2, size=32, width=4), Regress(), 32).eval()
    assert len(model.paint([HALF], hints=[[]])) == 1
    with pytest.raises(UserError, match=r"takes no hints.*net\.hints=true"):
        model.paint([HALF], hints=[[Hint(1, 1, RED)]])


@pytest.fixture
def photos(tmp_path):
    """The files of two photographs."""
    return [tmp_path / "a" / "x.jpg", tmp_path / "b" / "x.jpg", tmp_path / "y.jpg"]


@pytest.fixture
def hints_file(tmp_path):
    """Writes hints.json."""

    def write(content):
        path = tmp_path / "hints.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


ENTRY = {"x": 1, "y": 2.5, "color": "#C81e1e"}


def test_a_list_is_of_the_only_photograph(hints_file, photos):
    assert read_hints(hints_file([ENTRY]), photos[:1]) == {photos[0]: [Hint(1, 2.5, RED)]}


def test_photographs_are_named_by_path_or_file_name(hints_file, photos):
    content = {str(photos[0]): [ENTRY], "y.jpg": [{**ENTRY, "radius": 0}]}
    assert read_hints(hints_file(content), photos) == {
        photos[0]: [Hint(1, 2.5, RED)],
        photos[2]: [Hint(1, 2.5, RED, radius=0)],
    }


def test_a_path_may_be_written_in_other_ways(hints_file):
    files = [Path("a/x.jpg"), Path("b/x.jpg")]
    assert read_hints(hints_file({"./b//x.jpg": [ENTRY]}), files) == {files[1]: [Hint(1, 2.5, RED)]}


def test_a_second_list_for_a_photograph_is_refused(hints_file, photos):
    with pytest.raises(UserError, match=r"y\.jpg': a second list of hints for .*y\.jpg"):
        read_hints(hints_file({"y.jpg": [ENTRY], str(photos[2]): [ENTRY]}), photos)


@pytest.mark.parametrize("content", [[ENTRY], {"y.jpg": ENTRY}])
def test_hints_without_any_photograph_are_one_line(hints_file, content):
    with pytest.raises(UserError, match=r"hints\.json: "):
        read_hints(hints_file(content), [])


def test_what_is_written_is_read(hints_file, photos):
    hint = Hint(7, 8, (0, 128, 255), 3)
    assert read_hints(hints_file({"y.jpg": [as_entry(hint)]}), photos) == {photos[2]: [hint]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a readable JSON file"),
        ("7", "write a list of hints for each photograph"),
        ({"y.jpg": ENTRY}, "write a list of hints for each photograph"),
        ([ENTRY], "name the photograph of each list"),
        ({"z.jpg": [ENTRY]}, "'z.jpg' is no photograph"),
        ({"x.jpg": [ENTRY]}, "'x.jpg' is more than one photograph"),
        ({"y.jpg": ["red"]}, r"y\.jpg: hint 1: write"),
        ({"y.jpg": [ENTRY, {"x": 1, "y": 1}]}, r"y\.jpg: hint 2: write"),
        ({"y.jpg": [{**ENTRY, "colour": 1}]}, r"hint 1: write"),
        ({"y.jpg": [{**ENTRY, "x": "1"}]}, "x: '1' is no number"),
        ({"y.jpg": [{**ENTRY, "y": -1}]}, "y: -1 is no number"),
        ({"y.jpg": [{**ENTRY, "x": True}]}, "x: True is no number"),
        ('{"y.jpg": [{"x": 1, "y": 1, "color": "#000000", "radius": 1e999}]}', "radius: inf is no number"),
        ('{"y.jpg": [{"x": NaN, "y": 1, "color": "#000000"}]}', "x: nan is no number"),
        ({"y.jpg": [{**ENTRY, "color": "red"}]}, "color: 'red' is not written as #rrggbb"),
        ({"y.jpg": [{**ENTRY, "color": [1, 2, 3]}]}, "is not written as #rrggbb"),
    ],
)
def test_what_is_no_hint_is_one_line(hints_file, photos, content, message):
    with pytest.raises(UserError, match=rf"hints\.json: .*{message}") as caught:
        read_hints(hints_file(content), photos)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path, photos):
    with pytest.raises(UserError, match=r"nowhere\.json: not a readable"):
        read_hints(tmp_path / "nowhere.json", photos)
