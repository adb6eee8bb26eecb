import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from colorgan import turing
from colorgan.color import split
from colorgan.errors import UserError
from colorgan.evaluation.dataset import EvaluationDataset
from colorgan.imaging import images
from colorgan.study import folder
from colorgan.study.making import make


class Swap:
    """A predictor that swaps red and blue, and fails on some indices."""

    def __init__(self, name="swap", fails=()):
        self.name = name
        self.fails = fails

    def predict(self, indices, rgb):
        return [UserError(f"no {i}") if i in self.fails else rgb[n].flip(0) for n, i in enumerate(indices)]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """60 pictures of one color each."""
    root = tmp_path_factory.mktemp("photographs")
    generator = np.random.default_rng(0)
    for i in range(60):
        (root / "sea").mkdir(exist_ok=True)
        color = generator.integers(60, 200, 3, dtype=np.uint8)
        Image.fromarray(np.tile(color, (20, 24, 1))).save(root / f"sea/{i:02d}.png")
    return root


@pytest.fixture(scope="module")
def dataset(photographs):
    return EvaluationDataset(photographs)


@pytest.fixture(scope="module")
def made(dataset, tmp_path_factory):
    return make(tmp_path_factory.mktemp("made") / "study", dataset, [Swap()], 16, 0, None)


def pixels(file):
    return np.asarray(Image.open(file)).transpose(2, 0, 1)


def test_a_study_has_every_picture_real_random_and_by_each_system(made):
    made.study.check_pictures()
    assert sorted(made.study.pictures) == [f"sea/{i:02d}" for i in range(60)]


def test_what_is_made_is_what_is_loaded(made):
    assert folder.load(made.study.root) == made.study


def test_the_real_picture_is_the_photograph(made, dataset):
    for place, key in enumerate(made.study.pictures[:5]):
        index = [dataset.key(i) for i in range(60)].index(key)
        assert (pixels(made.study.real_path(place)) == dataset.load(index, 16)).all()


def test_the_fake_picture_is_the_systems(made):
    assert (pixels(made.study.fake_path(9, "scored", "swap")) == pixels(made.study.real_path(9))[::-1]).all()


def lab(file):
    return split(torch.from_numpy(pixels(file).copy())[None] / 255)


def test_a_random_picture_keeps_its_lightness(made):
    for place in range(60):
        real, fake = lab(made.study.real_path(place))[0], lab(made.study.fake_path(place, "vigilance", ""))[0]
        torch.testing.assert_close(fake, real, atol=0.8, rtol=0)


def test_a_random_picture_has_another_ones_color(made):
    far = [
        (lab(made.study.real_path(place))[1] - lab(made.study.fake_path(place, "vigilance", ""))[1]).abs().max()
        for place in range(60)
    ]
    assert min(far) > 1


def test_all_pictures_are_encoded_alike(made):
    files = [
        made.study.real_path(0),
        made.study.fake_path(0, "scored", "swap"),
        made.study.fake_path(0, "vigilance", ""),
    ]
    described = []
    for file in files:
        with Image.open(file) as image:
            described.append((image.format, image.mode, image.size, image.info))
    assert described == [("PNG", "RGB", (16, 16), {})] * 3


def test_a_seed_repeats_a_study(made, dataset, tmp_path):
    again = make(tmp_path / "study", dataset, [Swap()], 16, 0, None).study
    assert again.pictures == made.study.pictures
    assert (pixels(again.fake_path(3, "vigilance", "")) == pixels(made.study.fake_path(3, "vigilance", ""))).all()


def test_the_number_of_pictures_is_limited(dataset, tmp_path):
    assert len(make(tmp_path / "study", dataset, [Swap()], 16, 0, 55).study.pictures) == 55


def test_a_picture_that_a_system_cannot_paint_is_left_out_with_a_line(dataset, tmp_path):
    made = make(tmp_path / "study", dataset, [Swap("one", fails=[7]), Swap("two", fails=[8])], 16, 0, None)
    assert sorted(made.notes) == ["left out, one: no 7", "left out, two: no 8"]
    assert len(made.study.pictures) == 58
    made.study.check_pictures()


def test_another_picture_takes_the_place_of_one_that_is_left_out(dataset, tmp_path):
    made = make(tmp_path / "study", dataset, [Swap(fails=range(5))], 16, 0, 55)
    assert len(made.study.pictures) == 55


def test_a_broken_photograph_is_left_out_with_a_line(photographs, tmp_path):
    shutil.copytree(photographs, tmp_path / "photographs")
    (tmp_path / "photographs/sea/05.png").write_bytes(b"broken")
    made = make(tmp_path / "study", EvaluationDataset(tmp_path / "photographs"), [Swap()], 16, 0, None)
    assert len(made.notes) == 1 and "05.png" in made.notes[0]


def test_too_few_pictures_leave_nothing_behind(dataset, tmp_path):
    with pytest.raises(UserError, match=r"53 pictures are left, and a session shows 54 \(the first .*no \d"):
        make(tmp_path / "study", dataset, [Swap(fails=range(7))], 16, 0, None)
    assert list(tmp_path.iterdir()) == []


def test_fewer_pictures_than_a_session_shows_are_refused(dataset, tmp_path):
    with pytest.raises(UserError, match="--pictures 53: a session shows 54"):
        make(tmp_path / "study", dataset, [Swap()], 16, 0, 53)


def test_a_study_is_never_overwritten(dataset, tmp_path):
    (tmp_path / "study").mkdir()
    with pytest.raises(UserError, match="exists already"):
        make(tmp_path / "study", dataset, [Swap()], 16, 0, None)


def test_a_failing_system_leaves_nothing_behind(dataset, tmp_path):
    broken = Swap()
    broken.predict = lambda indices, rgb: 1 / 0
    with pytest.raises(ZeroDivisionError):
        make(tmp_path / "study", dataset, [broken], 16, 0, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("names", [["real"], ["random"], ["a b", "a/b"], ["..."]])
def test_an_empty_or_taken_name_is_one_line(dataset, tmp_path, names):
    with pytest.raises(UserError, match="the name is taken or empty"):
        make(tmp_path / "study", dataset, [Swap(name) for name in names], 16, 0, None)


def test_a_system_name_cannot_leave_the_folder(dataset, tmp_path):
    study = make(tmp_path / "study", dataset, [Swap("../../run/last epoch 3")], 16, 0, None).study
    assert study.systems == ["run-last-epoch-3"]


def test_the_command_makes_a_study_of_a_folder_of_colored_pictures(photographs, tmp_path, capsys):
    colored = tmp_path / "mine"
    shutil.copytree(photographs, colored)
    assert turing.main(f"make {tmp_path}/study --data {photographs} --pred {colored} --size 16".split()) == 0
    images.read(tmp_path / "study/pictures/mine/0059.png")
    assert capsys.readouterr().out.startswith("60 pictures by mine: python -m colorgan.turing serve")
