"""Datasets: which photographs, splits, classes, and one clear line if something is missing."""

import json
from inspect import signature

import numpy as np
import pytest
import torch
from PIL import Image

from colorgan.colorizer import checkpoint
from colorgan.data.building import DATASETS
from colorgan.data.dataset import ImageDataset
from colorgan.data.folder import ImageFolder
from colorgan.errors import UserError


def draw(path, color=(200, 60, 30), size=12):
    """Write a small image with many hues: `color` in one corner, and each channel fades in a different direction."""
    path.parent.mkdir(parents=True, exist_ok=True)
    down, across = np.mgrid[:size, :size] / size
    falls = np.stack([1 - down, 1 - across, (down + across) / 2], axis=-1)
    Image.fromarray((falls * color).astype(np.uint8)).save(path)
    return path


def names(source):
    return {source.names[i] for i in range(len(source))}


def test_folder_with_train_and_val_is_split_by_them(tmp_path):
    for name in ("train/cat/a.png", "train/cat/deep/b.PNG", "train/dog/c.png", "val/dog/d.png", "train/.x.png"):
        draw(tmp_path / name)
    (tmp_path / "train/dog/notes.txt").write_text("no photograph")
    train, val = ImageFolder(tmp_path, True), ImageFolder(tmp_path, False)
    assert names(train) == {"cat/a.png", "cat/deep/b.PNG", "dog/c.png"} and names(val) == {"dog/d.png"}
    assert train.classes == val.classes == ["cat", "dog"]
    assert [train.label(i) for i in range(3)] == [0, 0, 1] and val.label(0) == 1
    assert train.name(0) == str(tmp_path / "train/cat/a.png")
    assert train.load(0, 8).shape == (3, 8, 8) and train.load(0, 8).dtype == np.uint8


def test_folder_without_them_is_split_by_name_and_new_pictures_move_no_others(tmp_path):
    for i in range(60):
        draw(tmp_path / f"{'sea' if i % 2 else 'sky'}/{i}.png")
    before = names(ImageFolder(tmp_path, True, 0.3)), names(ImageFolder(tmp_path, False, 0.3))
    assert len(before[0] | before[1]) == 60 and not before[0] & before[1]
    assert 8 <= len(before[1]) <= 28
    for i in range(60, 90):
        draw(tmp_path / f"hill/{i}.png")
    after = ImageFolder(tmp_path, True, 0.3), ImageFolder(tmp_path, False, 0.3)
    assert before[0] <= names(after[0]) and before[1] <= names(after[1])
    assert after[0].classes == after[1].classes == ["hill", "sea", "sky"]


@pytest.mark.parametrize("share", [0, 0.1, 0.99])
@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_neither_split_is_empty(tmp_path, share, count):
    for i in range(count):
        draw(tmp_path / f"{i}.png")
    train, val = ImageFolder(tmp_path, True, share), ImageFolder(tmp_path, False, share)
    assert len(train) and len(val)
    assert len(train) + len(val) == max(count, 2)
    assert train.classes == val.classes == [tmp_path.name]


def test_folder_follows_links_but_no_cycles(tmp_path):
    draw(tmp_path / "elsewhere/a.png")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/up").symlink_to(tmp_path / "root")
    assert names(ImageFolder(tmp_path / "root", True)) == {"linked/a.png"}


def test_folder_says_what_is_wrong(tmp_path):
    with pytest.raises(UserError, match="root is not set"):
        ImageFolder(None, True)
    with pytest.raises(UserError, match=f"{tmp_path}/nowhere: no such folder"):
        ImageFolder(tmp_path / "nowhere", True)
    with pytest.raises(UserError, match=f"{tmp_path}: no photographs"):
        ImageFolder(tmp_path, True)
    with pytest.raises(ValueError, match="val_share=2"):
        ImageFolder(tmp_path, True, 2)


@pytest.fixture
def two_folders(tmp_path):
    """An album with classes of its own, a class in common and a file in none; scenes that are split already."""
    for i in range(20):
        draw(tmp_path / f"album/{('sea', 'people')[i % 2]}/{i}.png")
    draw(tmp_path / "album/loose.png")
    for name in ("train/sea/a.png", "train/forest/b.png", "train/loose.png", "val/sea/c.png"):
        draw(tmp_path / "scenes" / name)
    return tmp_path / "album", tmp_path / "scenes"


def labeled(source):
    """The class of each photograph by its path."""
    return {source.name(i): source.classes[source.label(i)] for i in range(len(source))}


@pytest.mark.parametrize("train", [True, False])
def test_further_folders_are_split_as_they_would_be_alone(two_folders, train):
    album, scenes = two_folders
    both = ImageFolder(album, train, 0.3, also=[str(scenes)])
    alone = labeled(ImageFolder(album, train, 0.3)), labeled(ImageFolder(scenes, train, 0.3))
    assert all(alone) and not alone[0].keys() & alone[1].keys()
    assert labeled(both) == alone[0] | alone[1]


def test_classes_of_the_same_name_are_one_and_files_in_none_belong_to_their_folder(two_folders):
    album, scenes = two_folders
    train, val = (ImageFolder(album, train, 0.3, also=[str(scenes)]) for train in (True, False))
    assert train.classes == val.classes == ["album", "forest", "people", "scenes", "sea"]
    assert labeled(val)[str(scenes / "val/sea/c.png")] == labeled(train)[str(scenes / "train/sea/a.png")] == "sea"
    assert labeled(train)[str(scenes / "train/loose.png")] == "scenes"
    assert (labeled(train) | labeled(val))[str(album / "loose.png")] == "album"


def test_photographs_of_further_folders_are_read(two_folders, monkeypatch):
    album, scenes = two_folders
    monkeypatch.chdir(album.parent)
    draw(scenes / "train/forest/b.png", color=(30, 60, 200))
    source = ImageFolder("album", True, also=["scenes"])
    (index,) = (i for i in range(len(source)) if source.name(i).endswith("train/forest/b.png"))
    assert np.array_equal(source.load(index, 8), ImageFolder(scenes, True).load(0, 8))


@pytest.mark.parametrize("empty", [False, True])
def test_a_further_folder_that_is_missing_or_empty_is_one_line(two_folders, tmp_path, empty):
    if empty:
        (tmp_path / "other").mkdir()
    line = "no photographs in this folder" if empty else "no such folder; set data.root, or data.also, to folders"
    with pytest.raises(UserError, match=f"{tmp_path}/other: {line}"):
        ImageFolder(two_folders[0], True, also=[str(tmp_path / "other")])


def test_a_run_on_two_folders_goes_on(folder, tiny_train, tmp_path):
    draw(tmp_path / "more/sea/x.png", size=40)
    draw(tmp_path / "more/city/y.png", size=40)
    data = ["data=folder", f"data.root={folder}", f"data.also=[{tmp_path / 'more'}]", "data.near_gray=0"]
    data += ["system.body=test_resnet", "pretrained=false", "optim.schedule=constant"]
    judge = "experiments/judge.yaml"
    assert tiny_train(*data, "trainer.max_epochs=2", f"run_dir={tmp_path}/whole", experiment=judge) == 0
    assert tiny_train(*data, f"run_dir={tmp_path}/broken", experiment=judge) == 0
    assert tiny_train("--resume", "trainer.max_epochs=2", f"run_dir={tmp_path}/broken", experiment=judge) == 0
    whole, broken = (checkpoint.read(tmp_path / name / "last.ckpt") for name in ("whole", "broken"))
    assert broken["experiment"]["data"]["also"] == [str(tmp_path / "more")]
    assert broken["experiment"]["system"]["classes"] == 3  # sea, forest, city
    assert all(torch.equal(value, broken["state_dict"][key]) for key, value in whole["state_dict"].items())


class Counting:
    """Three photographs, the second of which is broken; counts decodings."""

    classes = ("all",)

    def __init__(self, broken=(1,)):
        self.broken, self.decoded = broken, []

    def __len__(self):
        return 3

    def label(self, index):
        return 10 + index

    def name(self, index):
        return f"{index}.jpg"

    def load(self, index, size):
        self.decoded.append(index)
        if index in self.broken:
            raise UserError(f"{index}.jpg: broken")
        return np.full((3, size, size), index, np.uint8)


def test_a_broken_image_is_replaced_by_the_next_readable_one():
    dataset = ImageDataset(Counting(broken=(2,)), 4)
    assert not dataset.broken.any()
    item = dataset[2]
    assert item["index"] == 0 and item["label"] == 10 and not item["rgb"].any()
    assert [dataset.source.name(int(i)) for i in dataset.broken.nonzero()] == ["2.jpg"]


def test_all_images_broken_is_an_error_each_time():
    dataset = ImageDataset(Counting(broken=(0, 1, 2)), 4)
    for _ in range(2):
        with pytest.raises(UserError, match="none of the 3 photographs can be read"):
            dataset[0]


def test_defaults_are_what_a_yaml_file_can_say():
    for source in DATASETS.values():
        parameters = signature(source).parameters
        assert list(parameters)[:2] == ["root", "train"]
        json.dumps([p.default for p in list(parameters.values())[2:]])
