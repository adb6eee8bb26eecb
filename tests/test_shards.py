"""Shards: what is in them, that webdataset reads them, and that no half-written set looks complete."""

import json
import signal
import subprocess
import sys
import tarfile
from collections import Counter
from types import SimpleNamespace

import pytest
import webdataset

from colorgan import prepare
from colorgan.data import shards
from colorgan.data.shards import write_shards
from colorgan.data.stream import ShardedImages
from colorgan.errors import UserError
from tests.sharding import make_folder, make_shards, splits

KILLED = """
import os, signal, sys
from pathlib import Path
from colorgan.data import shards
from tests.sharding import splits

written = []

def replace(source, target, real=os.replace):
    real(source, target)
    written.append(target)
    if len(written) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

shards.os.replace = replace
shards.write_shards(splits(Path(sys.argv[1]) / "folder"), Path(sys.argv[1]) / "set", 20_000)
"""


def tree(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def entries(folder):
    return sorted(path.name for path in folder.iterdir())


def test_every_photograph_is_in_one_shard_as_it_was(tmp_path):
    found = make_shards(tmp_path)
    for split, count in (("train", 40), ("val", 6)):
        files = {f"{p.parent.name}/{p.stem.replace('.', '_')}.jpg": p for p in tmp_path.glob(f"folder/{split}/*/*")}
        members = Counter()
        for path in sorted(found.glob(f"{split}-*.tar")):
            assert path.stat().st_size <= 20_480 + tarfile.RECORDSIZE
            with tarfile.open(path) as tar:
                for member in tar:
                    if member.name.endswith(".jpg"):
                        members[member.name] += 1
                        assert tar.extractfile(member).read() == files[member.name].read_bytes()
        assert len(files) == count and members == Counter(files.keys())


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # of webdataset 1.0
def test_webdataset_reads_the_shards(tmp_path):
    urls = sorted(map(str, make_shards(tmp_path).glob("train-*.tar")))
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8").to_tuple("__key__", "jpg", "cls"))
    assert len(samples) == 40 and samples[0][1].shape == (48, 60, 3)
    assert all(("sea", "wood")[label] == key.split("/")[0] for key, _, label in samples)


def test_each_shard_has_every_class(tmp_path):
    source = ShardedImages(make_shards(tmp_path, 40_000, train=120), True)
    starts = [0, *source.ends[:-1]]
    assert len(starts) > 5
    for start, end in zip(starts[:-1], source.ends[:-1], strict=True):  # the last one may hold a single picture
        assert {source.label(i) for i in range(start, end)} == {0, 1}


def test_the_same_photographs_make_the_same_files(tmp_path):
    first = make_shards(tmp_path)
    assert write_shards(splits(tmp_path / "folder"), tmp_path / "again", 20_000)
    assert tree(first) == tree(tmp_path / "again")


@pytest.mark.parametrize("after", [1, 2, 7])
def test_a_killed_run_leaves_no_set_and_goes_on(tmp_path, after):
    make_folder(tmp_path / "folder")
    process = subprocess.run([sys.executable, "-c", KILLED, tmp_path, str(after)], check=False)
    assert process.returncode == -signal.SIGKILL and not (tmp_path / "set").exists()
    with pytest.raises(UserError, match=r"no shards\.json there"):
        ShardedImages(tmp_path / ".set.part", True)
    half = tmp_path / ".set.part/train-00005.part"
    half.write_bytes(b"half a shard")
    finished = {path: path.stat().st_mtime_ns for path in tmp_path.glob(".set.part/train-*.tar")}
    assert len(finished) == after - 1  # the first file is the plan
    write_shards(splits(tmp_path / "folder"), tmp_path / "set", 20_000)
    assert all((tmp_path / "set" / path.name).stat().st_mtime_ns == time for path, time in finished.items())
    write_shards(splits(tmp_path / "folder"), tmp_path / "whole", 20_000)
    assert tree(tmp_path / "set") == tree(tmp_path / "whole")
    assert entries(tmp_path) == ["folder", "set", "whole"]


def test_a_shard_that_was_damaged_after_the_kill_is_written_again(tmp_path):
    make_folder(tmp_path / "folder")
    subprocess.run([sys.executable, "-c", KILLED, tmp_path, "4"], check=False)
    for path in tmp_path.glob(".set.part/train-*.tar"):
        path.write_bytes(path.read_bytes()[:3000])
    write_shards(splits(tmp_path / "folder"), tmp_path / "set", 20_000)
    write_shards(splits(tmp_path / "folder"), tmp_path / "whole", 20_000)
    assert tree(tmp_path / "set") == tree(tmp_path / "whole")


def test_photographs_that_are_added_after_the_kill_make_another_set(tmp_path):
    make_folder(tmp_path / "folder")
    subprocess.run([sys.executable, "-c", KILLED, tmp_path, "4"], check=False)
    make_folder(tmp_path / "folder", train=40, val=9)
    write_shards(splits(tmp_path / "folder"), tmp_path / "set", 20_000)
    write_shards(splits(tmp_path / "folder"), tmp_path / "whole", 20_000)
    assert tree(tmp_path / "set") == tree(tmp_path / "whole")


def test_a_set_is_never_overwritten(tmp_path):
    found = make_shards(tmp_path)
    before = tree(found)
    assert not write_shards(splits(tmp_path / "folder"), found, 20_000)
    with pytest.raises(UserError, match=f"{found}: has the shards of other pictures or of another size"):
        write_shards(splits(tmp_path / "folder"), found, 30_000)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/letter").write_text("Dear")
    with pytest.raises(UserError, match="precious: holds something else than shards"):
        write_shards(splits(tmp_path / "folder"), tmp_path / "precious", 20_000)
    assert tree(found) == before and entries(tmp_path / "precious") == ["letter"]


def test_a_photograph_that_changes_meanwhile_is_noticed(tmp_path):
    found = splits(make_folder(tmp_path / "folder"))

    def watch(planned, total):
        assert total == len(planned) > 8
        (tmp_path / "folder/train/sea/0.v1.jpg").write_bytes(b"shorter")
        return planned

    with pytest.raises(UserError, match="has changed while it was packed"):
        write_shards(found, tmp_path / "set", 20_000, watch)
    assert not (tmp_path / "set").exists()


def test_a_disk_that_is_too_small_is_one_line_before_anything_is_written(tmp_path, monkeypatch):
    found = splits(make_folder(tmp_path / "folder"))
    monkeypatch.setattr(shards.shutil, "disk_usage", lambda path: SimpleNamespace(free=5))
    with pytest.raises(UserError, match=r"the shards need 0\.00 GB, and 0\.00 are free"):
        write_shards(found, tmp_path / "set", 20_000)
    assert not list(tmp_path.glob(".set.part/*"))


def test_prepare_packs_what_it_keeps(tmp_path, capsys):
    make_folder(tmp_path / "photos", train=16, val=4)
    command = [str(tmp_path / "photos"), str(tmp_path / "set"), "--jobs", "1", "--min-size", "16", "--shards", "20K"]
    assert prepare.main(command) == 0
    assert "shards for data.name=stream" in capsys.readouterr().out
    kept = [json.loads(line)["kept"] for line in (tmp_path / "set/manifest.jsonl").read_text().splitlines()]
    for split in ("train", "val"):
        source = ShardedImages(tmp_path / "set/shards", split == "train")
        files = {(tmp_path / "set" / name).read_bytes() for name in kept if name.startswith(split)}
        assert {source.read(i) for i in range(len(source))} == files and len(source) == len(files)
    assert prepare.main(command) == 0
    assert "has these shards already" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["0", "64X", "M", "folder"])
def test_a_wrong_size_of_shards_is_one_line(tmp_path, capsys, wrong):
    assert prepare.main([str(tmp_path), str(tmp_path / "set"), "--shards", wrong]) == 2
    assert f"{wrong} is not a size such as 64M" in capsys.readouterr().err
