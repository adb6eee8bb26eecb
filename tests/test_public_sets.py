"""The embedded photographs and the public sets."""

import pickle
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from torchvision import datasets

from colorgan.data.building import DATASETS
from colorgan.data.photos import PHOTOGRAPHS, SkimagePhotos
from colorgan.errors import UserError
from tests.test_data import draw


def test_photos_are_embedded_and_fixed():
    train, again, val = SkimagePhotos(None, True), SkimagePhotos(None, True), SkimagePhotos(None, False)
    assert len(train) == 960 and len(val) == 3 * len(PHOTOGRAPHS)
    assert np.array_equal(train.load(7, 24), again.load(7, 24))
    assert not np.array_equal(train.load(7, 24), train.load(12, 24))  # another crop of the same photograph
    assert train.label(7) == train.label(12) == 2 and train.classes[2] == "coffee"
    for i in range(len(val)):
        assert val.load(i, 16).shape == (3, 16, 16) and val.name(i).endswith(list(PHOTOGRAPHS)[val.label(i)])


def test_photos_refuse_a_root(tmp_path):
    with pytest.raises(UserError, match=r"^data\.root=.*set data\.name=folder"):
        SkimagePhotos(tmp_path, True)


def test_photos_missing_in_the_wheel_is_one_line(monkeypatch):
    monkeypatch.setattr("colorgan.data.photos.PHOTOGRAPHS", {"nothing.png": ((0, 0, 8),)})
    with pytest.raises(UserError, match=r"nothing\.png: not in this scikit-image"):
        SkimagePhotos(None, True)


@pytest.mark.parametrize("name", ["places365", "cifar10", "flowers102", "imagenette"])
def test_public_sets_without_a_network_say_where_files_belong(name, tmp_path, monkeypatch):
    def no_network(*args, **kwargs):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    with pytest.raises(
        UserError, match=f"data.name={name}: .*{tmp_path}.*could not be downloaded.*not known.*put "
    ) as e:
        DATASETS[name](tmp_path, True)
    assert "\n" not in str(e.value)
    with pytest.raises(UserError, match="root is not set"):
        DATASETS[name](None, True)


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A Places365 of three classes and six pictures."""
    (tmp_path / "categories_places365.txt").write_text("/f/forest/broadleaf 0\n/f/forest_path 1\n/p/park 2\n")
    files = [f"/{c[0]}/{c}/{i:08}.jpg" for c in ("forest/broadleaf", "forest_path", "park") for i in (1, 2)]
    lines = [f"{file} {label // 2}\n" for label, file in enumerate(files)]
    (tmp_path / "places365_train_standard.txt").write_text("".join(lines))
    (tmp_path / "places365_val.txt").write_text("Places365_val_1.jpg 2\n")
    for file in files:
        draw(tmp_path / f"data_256_standard{file}")
    draw(tmp_path / "val_256/Places365_val_1.jpg")
    monkeypatch.setattr("torchvision.datasets.places365.check_integrity", lambda file, md5: True)
    return tmp_path


def test_places_keeps_the_classes_that_patterns_match(places):
    everything = DATASETS["places365"](places, True)
    assert everything.classes == ["forest/broadleaf", "forest_path", "park"] and len(everything) == 6
    chosen = DATASETS["places365"](places, True, ["park", "forest/*"])
    assert chosen.classes == ["forest/broadleaf", "park"]
    assert [chosen.label(i) for i in range(len(chosen))] == [0, 0, 1, 1]
    assert chosen.name(3) == str(places / "data_256_standard/p/park/00000002.jpg")
    assert chosen.load(3, 8).shape == (3, 8, 8)
    val = DATASETS["places365"](places, False, ["park", "forest/*"])
    assert val.label(0) == 1 and val.load(0, 8).shape == (3, 8, 8)


def test_places_reports_patterns_that_match_nothing(places):
    with pytest.raises(UserError, match=r"no class of places365 matches prk, sea.*did you mean park"):
        DATASETS["places365"](places, True, ["prk", "sea*", "forest*"])


def test_cifar_is_read_from_its_arrays(tmp_path, monkeypatch):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    pixels = np.arange(2 * 3072, dtype=np.uint32).astype(np.uint8).reshape(2, 3072)
    for file in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        (folder / file).write_bytes(pickle.dumps({"data": pixels, "labels": [3, 1]}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *args: True)
    train, val = DATASETS["cifar10"](tmp_path, True), DATASETS["cifar10"](tmp_path, False)
    assert len(train) == 10 and len(val) == 2 and val.label(0) == 3 and train.name(9) == "cifar10/train/9"
    assert np.array_equal(val.load(1, 32), pixels[1].reshape(3, 32, 32))


def test_one_process_downloads_a_public_set_while_the_others_wait(tmp_path, monkeypatch):
    downloads, inside = [], []

    class Nette:
        classes, _samples = [("tench",)], []

        def __init__(self, root, split, edition, download):
            inside.append(1)
            assert len(inside) == 1
            if download:
                time.sleep(0.2)
                (root / "imagenette2-320").mkdir()  # raises if another has made it
                downloads.append(split)
            inside.pop()

    monkeypatch.setattr(datasets, "Imagenette", Nette)
    with ThreadPoolExecutor(4) as pool:
        sets = list(pool.map(lambda _: DATASETS["imagenette"](tmp_path, train=True), range(4)))
    assert (len(sets), downloads) == (4, ["train"])
