"""What is evaluated: baselines, trained models, and folders of other programs."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from colorgan.color import join, split
from colorgan.errors import UserError
from colorgan.evaluation import predictors
from colorgan.evaluation.dataset import EvaluationDataset
from colorgan.evaluation.predictors import (
    ConstantPredictor,
    FolderPredictor,
    Mismatch,
    ModelPredictor,
    make_predictors,
    to_uint8,
    training_overlap,
)
from colorgan.imaging.formats import SUFFIXES
from tests.evaluating import photo, write_pictures

SIZE = 32
NO_DATA = {"name": "photos", "root": None}


@pytest.fixture(autouse=True)
def pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pictures()


@pytest.fixture
def dataset():
    return EvaluationDataset(Path("true"))


class Echo:
    """A colorizer that gives what it got, and refuses a batch with a black picture as if its color were NaN."""

    def paint(self, pictures):
        if not all(picture.any() for picture in pictures):
            raise UserError("the model predicts NaN")
        return pictures


def truth(dataset, index):
    """A true picture as a batch, uint8 (1, 3, S, S)."""
    return torch.from_numpy(dataset.load(index, SIZE))[None]


def predicted(dataset, index=0, folder="mine"):
    """What the folder has for a picture."""
    return FolderPredictor(folder, Path(folder), dataset).predict([index], truth(dataset, index))[0]


@pytest.mark.parametrize("color", [(0.0, 0.0), (5.0, -12.0)])
def test_a_baseline_keeps_the_lightness_and_has_one_color(dataset, color):
    rgb = truth(dataset, 0)
    (picture,) = ConstantPredictor("one", torch.tensor(color)).predict([0], rgb)
    (L, ab), (true_L, _) = split(picture[None] / 255), split(rgb / 255)
    assert (L - true_L).abs().mean() < 0.3
    inside = (true_L > 20) & (true_L < 80)  # in sRGB's gamut
    assert (ab.movedim(1, -1)[inside[:, 0]] - torch.tensor(color)).abs().max() < 2


@pytest.mark.parametrize("color", [(0.0, 0.0), (60.0, -30.0)])
def test_the_colors_that_a_baseline_has_ready_are_those_of_its_own_lightness(color):
    rgb = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    L, ab = split(rgb / 255)
    expected = to_uint8(join(L, torch.tensor(color)[:, None, None].expand_as(ab))).int()
    apart = torch.stack(ConstantPredictor("one", torch.tensor(color)).predict([0, 1], rgb)) - expected
    assert apart.abs().max() <= 1 and (apart != 0).float().mean() < 5e-3


def test_bytes_are_rounded_and_clipped():
    assert to_uint8(torch.tensor([-0.1, 0.49 / 255, 0.51 / 255, 0.5, 1.2])).tolist() == [0, 0, 1, 128, 255]


def test_a_model_gets_the_pictures_and_gives_bytes(dataset):
    rgb = truth(dataset, 0)
    assert torch.equal(ModelPredictor("echo", Echo(), NO_DATA).predict([0], rgb)[0], rgb[0])


def test_a_diverged_model_is_said_for_the_picture(dataset):
    rgb = torch.cat([truth(dataset, 0), torch.zeros_like(truth(dataset, 0))])
    good, bad = ModelPredictor("gan", Echo(), NO_DATA).predict([3, 4], rgb)
    assert isinstance(good, torch.Tensor)
    assert str(bad).startswith("'gan': NaN or infinite values for picture 5")


@pytest.mark.parametrize("suffix", ["bmp", "tif", "PNG"])
def test_a_picture_is_found_under_another_suffix(dataset, suffix):
    file = Path("mine", dataset.key(0))
    with Image.open(f"{file}.png") as image:
        image.save(f"{file}.new", format=SUFFIXES[f".{suffix.lower()}"])
    Path(f"{file}.png").unlink()
    Path(f"{file}.new").rename(f"{file}.{suffix}")
    assert torch.equal(predicted(dataset), truth(dataset, 0)[0])


def test_a_picture_turned_by_exif_is_read_upright(dataset):
    exif = Image.Exif()
    exif[0x0112] = 6  # the stored left is the upright top
    file = f"mine/{dataset.key(0)}"
    with Image.open(f"{file}.png") as image:
        turned = image.transpose(Image.Transpose.ROTATE_90)
    turned.save(f"{file}.png", exif=exif)
    assert torch.equal(predicted(dataset), truth(dataset, 0)[0])


def test_two_pictures_for_one_name_are_refused(dataset):
    photo(f"mine/{dataset.key(0)}.bmp", 0)
    with pytest.raises(UserError, match="a second picture for one name, beside"):
        FolderPredictor("mine", Path("mine"), dataset)


@pytest.mark.parametrize(
    ("size", "accepted"),
    [((24, 20), True), ((49, 41), True), ((480, 400), True), ((40, 48), False), ((48, 48), False), ((480, 390), False)],
)
def test_the_aspect_must_be_the_truths(dataset, size, accepted):
    photo(f"mine/{dataset.key(0)}.png", 1, size)  # the first of the sorted names is the photograph 1
    assert isinstance(predicted(dataset), torch.Tensor) == accepted


def test_a_picture_of_something_else_is_told_from_a_missing_one(dataset):
    photo(f"mine/{dataset.key(0)}.png", 7)
    Path(f"mine/{dataset.key(1)}.png").unlink()
    assert isinstance(predicted(dataset, 0), Mismatch)
    assert isinstance(predicted(dataset, 1), UserError) and not isinstance(predicted(dataset, 1), Mismatch)


def test_a_flat_picture_is_not_said_to_be_another(dataset):
    Image.new("RGB", (48, 40), (90, 90, 90)).save(f"mine/{dataset.key(0)}.png")
    assert isinstance(predicted(dataset), torch.Tensor)


@pytest.fixture
def checkpoints(monkeypatch):
    """Checkpoints that are read as (name, epoch): checkpoints({path: (name, epoch)}); released ones have no epoch."""

    def write(contents):
        known = {
            Path(path): {"experiment": {"name": n, "data": NO_DATA}} | ({} if epoch is None else {"epoch": epoch})
            for path, (n, epoch) in contents.items()
        }
        monkeypatch.setattr(predictors.checkpoint, "read", lambda path: known[path])
        monkeypatch.setattr(predictors.checkpoint, "load", lambda path, device: Echo())
        return list(known)

    return write


@pytest.mark.parametrize(
    ("contents", "names"),
    [
        ({"a/best.ckpt": ("gan", 3)}, ["gan"]),
        ({"a/best.ckpt": ("gan", 3), "b/best.ckpt": ("unet", 3)}, ["gan", "unet"]),
        ({"a/best.ckpt": ("gan", 3), "a/last.ckpt": ("gan", 7)}, ["gan epoch 3", "gan epoch 7"]),
        ({"a/best.ckpt": ("gan", 3), "b/best.ckpt": ("gan", 3)}, ["a/best", "b/best"]),
        ({"a/best.ckpt": ("gan", 3), "gan.ckpt": ("gan", None)}, ["gan epoch 3", "gan"]),
    ],
)
def test_every_checkpoint_has_a_name_of_its_own(dataset, checkpoints, contents, names):
    assert [predictor.name for predictor in make_predictors(checkpoints(contents), [], dataset)] == names


def test_checkpoints_stand_before_folders(dataset, checkpoints):
    found = make_predictors(checkpoints({"a/best.ckpt": ("gan", 3)}), [Path("mine")], dataset)
    assert [predictor.name for predictor in found] == ["gan", "mine"]


def test_a_folder_may_not_have_the_name_of_a_checkpoint(dataset, checkpoints):
    with pytest.raises(UserError, match="'mine': 2 systems have this name"):
        make_predictors(checkpoints({"a/best.ckpt": ("mine", 3)}), [Path("mine")], dataset)


@pytest.mark.parametrize(
    ("name", "root", "seen"),
    [
        ("folder", "true", True),
        ("folder", ".", True),
        ("folder", "mine", False),
        ("folder", None, False),  # released: it does not say on what it was trained
        ("photos", "true", False),
    ],
)
def test_a_model_that_was_trained_on_the_pictures_is_said(dataset, name, root, seen):
    model = ModelPredictor("gan", Echo(), {"name": name, "root": root})
    notes = training_overlap([model, FolderPredictor("mine", Path("mine"), dataset)], dataset)
    assert notes == seen * ["gan: trained on photographs of true; evaluate it on others"]


@pytest.mark.parametrize(("also", "seen"), [(["mine", "true"], True), (["mine"], False), ([], False)])
def test_further_folders_were_trained_on_too(dataset, also, seen):
    model = ModelPredictor("gan", Echo(), {"name": "folder", "root": "other", "also": also})
    assert bool(training_overlap([model], dataset)) == seen


def test_pictures_to_validate_on_were_not_trained_on():
    photo("set/val/sea/0.png", 0)
    model = ModelPredictor("gan", Echo(), {"name": "folder", "root": "set"})
    assert not training_overlap([model], EvaluationDataset(Path("set/val")))
