"""Decoded pictures are kept as they are, once for all processes, and never when they are broken or old."""

import errno
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from colorgan.data import cache
from colorgan.data.cache import DiskCache, MemoryCache, make_cache
from colorgan.data.dataset import ImageDataset
from colorgan.data.folder import ImageFolder
from colorgan.data.photos import SkimagePhotos
from colorgan.errors import UserError
from colorgan.packaged import user_cache

SIZE = 16


@pytest.fixture
def source(folder):
    """A source of photographs that counts how often it decodes them."""

    class Counting(ImageFolder):
        decoded = 0

        def load(self, index, size):
            self.decoded += 1
            return super().load(index, size)

    return Counting(folder, train=True)


@pytest.fixture(params=["ram", "ram and workers", "disk"])
def make(request, source, tmp_path):
    """Makes a cache of the source."""
    name, _, workers = request.param.partition(" and ")
    return lambda: make_cache(name, str(tmp_path / "cache"), source, SIZE, bool(workers))


def test_a_cache_changes_only_how_often_pictures_are_decoded(source, make):
    plain, cached = ImageDataset(source, SIZE), ImageDataset(source, SIZE, make())
    expected = [plain[i]["rgb"] for i in range(len(plain))]
    source.decoded = 0
    for _ in range(2):
        assert all(torch.equal(cached[i]["rgb"], expected[i]) for i in range(len(cached)))
    assert source.decoded == len(cached)


def test_a_kept_picture_is_a_copy_that_a_batch_may_change(source, make):
    dataset = ImageDataset(source, SIZE, make())
    first = torch.stack([dataset[0]["rgb"], dataset[0]["rgb"]])
    first.zero_()
    assert dataset[0]["rgb"].any()


def test_a_broken_picture_is_not_kept(source, make, folder):
    (folder / source.names[0]).write_bytes(b"broken")
    dataset = ImageDataset(source, SIZE, make())
    assert dataset[0]["index"] == 1 and dataset.cache.get(0) is None


@pytest.mark.parametrize("name", ["tape", ""])
def test_an_unknown_cache_is_refused(source, name):
    with pytest.raises(UserError, match="must be none, ram or disk"):
        make_cache(name, None, source, SIZE, 0)


def test_a_cache_larger_than_shared_memory_is_refused(monkeypatch):
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 40}))
    monkeypatch.setattr(cache.os.path, "isdir", lambda path: True)
    with pytest.raises(UserError, match=r"0\.00 GB of shared memory.*cache=none"):
        MemoryCache((3, 3, SIZE, SIZE), shared=True)
    assert len(MemoryCache((3, 3, SIZE, SIZE), shared=False).pixels) == 3


# The file on disk


@pytest.fixture
def disk(source, tmp_path):
    """Makes a disk cache, each time as another process or a later run does."""
    return lambda: DiskCache(ImageFolder(source.root, train=True), SIZE, tmp_path / "cache")


PIXELS = np.arange(3 * SIZE * SIZE, dtype=np.uint8).reshape(3, SIZE, SIZE)


def test_a_later_run_finds_what_was_kept(disk):
    disk().put(3, PIXELS)
    assert np.array_equal(disk().get(3), PIXELS)
    assert disk().get(2) is None


def test_another_process_finds_what_was_kept(disk, source, tmp_path):
    disk().put(1, PIXELS)
    code = (
        "import sys; from pathlib import Path; from colorgan.data.cache import DiskCache; "
        "from colorgan.data.folder import ImageFolder; "
        f"print(DiskCache(ImageFolder(sys.argv[1], train=True), {SIZE}, Path(sys.argv[2])).get(1).sum().item())"
    )
    command = [sys.executable, "-c", code, str(source.root), str(tmp_path / "cache")]
    assert int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) == PIXELS.sum()


def test_a_spawned_worker_maps_the_file_and_gets_no_copy(disk):
    first = disk()
    sent = pickle.dumps(first)
    assert len(sent) < 1000
    pickle.loads(sent).put(0, PIXELS)
    assert np.array_equal(first.get(0), PIXELS)


def test_a_picture_that_was_cut_short_is_decoded_again(disk):
    one = disk()
    one.put(0, PIXELS)
    one.pixels[0, 1, 5:] = 0  # the disk has not all of it
    assert disk().get(0) is None


def test_a_file_that_was_cut_off_is_made_anew(disk):
    one = disk()
    one.put(0, PIXELS)
    os.truncate(one.path, 100)
    assert disk().get(0) is None


@pytest.mark.parametrize("change", ["content", "time", "name", "one more", "size"])
def test_changed_photographs_have_another_file(disk, source, tmp_path, change):
    before = disk()
    before.put(0, PIXELS)
    path = source.root / source.names[0]
    if change == "content":
        Image.new("RGB", (9, 9)).save(path)
    elif change == "time":
        os.utime(path, (1, 1))
    elif change == "name":
        path.rename(path.with_name("renamed.png"))
    elif change == "one more":
        for i in range(9):  # one of them is to train on
            Image.new("RGB", (9, 9)).save(path.with_name(f"more{i}.png"))
    size = SIZE if change != "size" else SIZE + 2
    after = DiskCache(ImageFolder(source.root, train=True), size, tmp_path / "cache")
    assert after.path != before.path and after.get(0) is None


def test_a_full_disk_is_one_line_that_names_the_way_out(disk, monkeypatch, tmp_path):
    def fallocate(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", fallocate)
    with pytest.raises(UserError, match=r"No space left on device; 0\.00 GB needed.*data\.cache_dir") as error:
        disk()
    assert "\n" not in str(error.value)
    assert not [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"]


def test_a_folder_that_cannot_be_made_is_one_line(source, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"set data\.cache_dir"):
        DiskCache(source, SIZE, tmp_path / "file" / "cache")


def test_the_whole_file_is_there_before_anything_is_written(disk):
    one = disk()
    assert one.path.stat().st_blocks * 512 >= one.path.stat().st_size == 4 * len(one.sums) + one.pixels.nbytes


def test_pictures_that_are_no_files_are_refused():
    with pytest.raises(UserError, match=r"data\.cache=ram"):
        make_cache("disk", None, SkimagePhotos(None, train=True), SIZE, 0)


def test_the_folder_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache() == tmp_path / "colorgan"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert user_cache() == tmp_path / "me/.cache/colorgan"


def test_a_training_from_the_disk_is_that_from_memory(tiny_train, folder, tmp_path):
    rows = []
    for name in ("ram", "disk"):
        settings = ["data.name=folder", f"data.root={folder}", f"data.cache={name}", f"data.cache_dir={tmp_path / 'c'}"]
        assert tiny_train(*settings, f"run_dir={tmp_path / name}") == 0
        lines = (tmp_path / name / "metrics.csv").read_text().splitlines()
        losses = [i for i, key in enumerate(lines[0].split(",")) if "loss" in key or "error" in key]
        rows.append([[line.split(",")[i] for i in losses] for line in lines[1:]])
    assert rows[0] == rows[1] and rows[0]
    assert len(list((tmp_path / "c").glob("*.pictures"))) == 2  # to train and to validate on
