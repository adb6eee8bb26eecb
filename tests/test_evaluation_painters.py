"""What colors pictures to be judged: floors, trained models, and folders of other programs."""

from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from colorgan.color import split
from colorgan.errors import UserError
from colorgan.evaluation import painters
from colorgan.evaluation.painters import (
    Colored,
    Constant,
    Model,
    OtherPicture,
    make_painters,
    seen_in_training,
    to_bytes,
)
from colorgan.evaluation.pictures import Album
from colorgan.imaging import images
from tests.judging import photo, write_pictures

SIZE = 32


@pytest.fixture(autouse=True)
def pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pictures()


@pytest.fixture
def album():
    return Album(Path("true"))


class Echo:
    """A colorizer that gives what it got, but for NaN in the picture `nan`."""

    def __init__(self, nan=None):
        self.nan = nan

    def paint(self, pictures):
        return [picture * (float("nan") if i == self.nan else 1) for i, picture in enumerate(pictures)]


def truth(album, index):
    """A true picture as a batch, uint8 (1, 3, S, S)."""
    return torch.from_numpy(album.load(index, SIZE))[None]


def painted(album, index=0, folder="mine"):
    """What the folder has for a picture."""
    return Colored(folder, Path(folder), album).paint([index], truth(album, index))[0]


@pytest.mark.parametrize("color", [(0.0, 0.0), (5.0, -12.0)])
def test_a_floor_keeps_the_lightness_and_has_one_color(album, color):
    rgb = truth(album, 0)
    (picture,) = Constant("floor", torch.tensor(color)).paint([0], rgb)
    (L, ab), (true_L, _) = split(picture[None] / 255), split(rgb / 255)
    assert (L - true_L).abs().mean() < 0.3
    inside = (true_L > 20) & (true_L < 80)  # in sRGB's gamut
    assert (ab.movedim(1, -1)[inside[:, 0]] - torch.tensor(color)).abs().max() < 2


def test_bytes_are_rounded_and_clipped():
    assert to_bytes(torch.tensor([-0.1, 0.49 / 255, 0.51 / 255, 0.5, 1.2])).tolist() == [0, 0, 1, 128, 255]


def test_a_model_gets_the_pictures_and_gives_bytes(album):
    rgb = truth(album, 0)
    assert torch.equal(Model("echo", Echo()).paint([0], rgb)[0], rgb[0])


def test_a_collapsed_model_is_said_for_the_picture(album):
    good, bad = Model("gan", Echo(nan=1)).paint([3, 4], truth(album, 0).expand(2, -1, -1, -1))
    assert isinstance(good, torch.Tensor)
    assert str(bad).startswith("'gan': NaN or infinite values for picture 5")


@pytest.mark.parametrize("suffix", ["bmp", "tif", "PNG"])
def test_a_picture_is_found_under_another_suffix(album, suffix):
    file = Path("mine", album.key(0))
    with Image.open(f"{file}.png") as image:
        image.save(f"{file}.new", format=images.SUFFIXES[f".{suffix.lower()}"])
    Path(f"{file}.png").unlink()
    Path(f"{file}.new").rename(f"{file}.{suffix}")
    assert torch.equal(painted(album), truth(album, 0)[0])


def test_a_picture_turned_by_exif_is_judged_upright(album):
    exif = Image.Exif()
    exif[0x0112] = 6  # the stored left is the upright top
    file = f"mine/{album.key(0)}"
    with Image.open(f"{file}.png") as image:
        turned = image.transpose(Image.Transpose.ROTATE_90)
    turned.save(f"{file}.png", exif=exif)
    assert torch.equal(painted(album), truth(album, 0)[0])


def test_two_pictures_for_one_name_are_refused(album):
    photo(f"mine/{album.key(0)}.bmp", 0)
    with pytest.raises(UserError, match="a second picture for one name, beside"):
        Colored("mine", Path("mine"), album)


@pytest.mark.parametrize(
    ("size", "accepted"),
    [((24, 20), True), ((49, 41), True), ((480, 400), True), ((40, 48), False), ((48, 48), False), ((480, 390), False)],
)
def test_the_aspect_must_be_the_truths(album, size, accepted):
    photo(f"mine/{album.key(0)}.png", 1, size)  # the first of the sorted names is the photograph 1
    assert isinstance(painted(album), torch.Tensor) == accepted


def test_a_picture_of_something_else_is_told_from_a_missing_one(album):
    photo(f"mine/{album.key(0)}.png", 7)
    Path(f"mine/{album.key(1)}.png").unlink()
    assert isinstance(painted(album, 0), OtherPicture)
    assert isinstance(painted(album, 1), UserError) and not isinstance(painted(album, 1), OtherPicture)


def test_a_flat_picture_is_not_said_to_be_another(album):
    Image.new("RGB", (48, 40), (90, 90, 90)).save(f"mine/{album.key(0)}.png")
    assert isinstance(painted(album), torch.Tensor)


@pytest.fixture
def checkpoints(monkeypatch):
    """Checkpoints that are read as (name, epoch): checkpoints({path: (name, epoch)}); released ones have no epoch."""

    def write(contents):
        known = {
            Path(path): {"experiment": {"name": n}} | ({} if epoch is None else {"epoch": epoch})
            for path, (n, epoch) in contents.items()
        }
        monkeypatch.setattr(painters.checkpoint, "read", lambda path: known[path])
        monkeypatch.setattr(painters, "load", lambda path, device: Echo())
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
def test_every_checkpoint_has_a_name_of_its_own(album, checkpoints, contents, names):
    assert [painter.name for painter in make_painters(checkpoints(contents), [], album)] == names


def test_checkpoints_stand_before_folders(album, checkpoints):
    found = make_painters(checkpoints({"a/best.ckpt": ("gan", 3)}), [Path("mine")], album)
    assert [painter.name for painter in found] == ["gan", "mine"]


def test_a_folder_may_not_have_the_name_of_a_checkpoint(album, checkpoints):
    with pytest.raises(UserError, match="'mine': 2 systems have this name"):
        make_painters(checkpoints({"a/best.ckpt": ("mine", 3)}), [Path("mine")], album)


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
def test_a_model_that_was_trained_on_the_pictures_is_said(album, name, root, seen):
    colorizer = Echo()
    colorizer.experiment = OmegaConf.create({"data": {"name": name, "root": root}})
    notes = seen_in_training([Model("gan", colorizer), Colored("mine", Path("mine"), album)], album)
    assert notes == seen * ["gan: trained on photographs of true; judge it on others"]


def test_pictures_to_validate_on_were_not_trained_on():
    photo("set/val/sea/0.png", 0)
    colorizer = Echo()
    colorizer.experiment = OmegaConf.create({"data": {"name": "folder", "root": "set"}})
    assert not seen_in_training([Model("gan", colorizer)], Album(Path("set/val")))
