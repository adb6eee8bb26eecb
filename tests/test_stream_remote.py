"""`data.name=stream` from a web server, and shards that are missing or damaged."""

import os
from collections import Counter

import numpy as np
import pytest

from colorgan.data import storage, stream
from colorgan.data.stream import ShardedImages
from colorgan.errors import UserError
from tests.sharding import make_shards, module, order, serve
from tests.test_batches import fit


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    monkeypatch.setattr(storage, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(stream, "WINDOW", 2)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def copies(tmp_path):
    return sorted(path.name for path in tmp_path.glob("cache/colorgan/shards/*.tar"))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_web_server_gives_the_batches_of_the_folder_and_each_shard_once(tmp_path, workers):
    root = make_shards(tmp_path)
    with serve(root) as (url, asked):
        remote = fit(module(url, workers=workers), 2, tmp_path)
        first = fit(module(root), 2, tmp_path)
        assert remote.seen == first.seen and remote.validated == first.validated
        count = Counter(name for name in asked() if name.endswith(".tar"))
        assert set(count.values()) == {1} and set(count) == {path.name for path in root.glob("*.tar")}
        fit(module(url), 1, tmp_path)
        assert Counter(name for name in asked() if name.endswith(".tar")) == count  # the copies are used
    assert len(copies(tmp_path)) == len(count)


def test_shards_are_copied_before_they_are_needed(tmp_path):
    root = make_shards(tmp_path)
    with serve(root) as (url, _):
        sampler = iter(module(url).train_dataloader().sampler)
        next(sampler)
        sampler.gi_frame.f_locals["self"]._prefetcher._thread.join(10)
        assert len(copies(tmp_path)) >= 4


def test_copies_are_kept_below_the_limit(tmp_path):
    root = make_shards(tmp_path, 12_000, train=60)
    size = max(path.stat().st_size for path in root.glob("*.tar"))
    with serve(root) as (url, asked):
        source = ShardedImages(url, True, shard_gb=4 * size / 1e9)
        for i in range(60):
            source.load(i, 16)
            assert len(copies(tmp_path)) <= 4
        assert len(source.ends) > 8 and source.load(0, 16).shape == (3, 16, 16)  # its shard is copied again
        assert (
            len([name for name in asked() if name.startswith("train") and name.endswith(".tar")])
            == len(source.ends) + 1
        )
        with pytest.raises(UserError, match=r"data\.shard_gb=1e-06: 4 shards are in use at a time, 0\.00 GB a process"):
            ShardedImages(url, True, shard_gb=1e-6)


def test_a_copy_that_another_process_deletes_is_made_again(tmp_path):
    with serve(make_shards(tmp_path)) as (url, _):
        source = ShardedImages(url, True)
        before = source.load(0, 16)
        for path in tmp_path.glob("cache/colorgan/shards/*.tar"):
            path.unlink()
        assert np.array_equal(source.load(0, 16), before)


def test_what_is_not_complete_is_one_line(tmp_path):
    with pytest.raises(UserError, match="root is not set"):
        ShardedImages(None, True)
    with pytest.raises(
        UserError, match=rf"{tmp_path}: no shards\.json there, so no complete set.*prepare SRC DST --shards"
    ):
        ShardedImages(tmp_path, True)
    root = make_shards(tmp_path)
    summary = root / "shards.json"
    whole = summary.read_text()
    summary.write_text(whole.replace('"format": 1', '"format": 9'))
    with pytest.raises(UserError, match="shards of format 9; this version of colorgan reads 1"):
        ShardedImages(root, True)
    summary.write_text(whole[:100])
    with pytest.raises(UserError, match=r"shards\.json: damaged"):
        ShardedImages(root, True)
    summary.write_text(whole)
    (index,) = root.glob("train-*.npy")
    index.write_bytes(index.read_bytes()[:-1] + b"!")
    with pytest.raises(UserError, match=f"{index}: damaged"):
        ShardedImages(root, True)


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("missing", [False, True])
def test_a_missing_or_short_shard_stops_a_run_before_it_starts(tmp_path, missing, remote):
    root = make_shards(tmp_path)
    shard = sorted(root.glob("train-*.tar"))[3]
    shard.rename(tmp_path / "aside") if missing else os.truncate(shard, 5000)
    line = "no such file, which the set needs" if missing else r"5000 bytes in place of \d+; copy it again"
    with serve(root) as (url, _), pytest.raises(UserError, match=f"{shard.name}: {line}"):
        ShardedImages(url if remote else root, True)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_shard_that_vanishes_stops_a_run_in_one_line(tmp_path, workers):
    root = make_shards(tmp_path)
    with serve(root) as (url, _):
        data = module(url, workers=workers)
        data.setup()
        lost = sorted(root.glob("train-*.tar"))[4]
        lost.unlink()
        with pytest.raises(UserError, match=f"^{url}/{lost.name}: no such file, which the set needs$"):
            order(data.train_dataloader())


@pytest.mark.parametrize("workers", [0, 2])
def test_a_remote_shard_that_is_damaged_stops_a_run_in_one_line(tmp_path, workers):
    root = make_shards(tmp_path)
    damaged = sorted(root.glob("train-*.tar"))[4]
    content = damaged.read_bytes()
    damaged.write_bytes(content[:7000] + b"damage" + content[7006:])
    with serve(root) as (url, asked):
        with pytest.raises(UserError, match=f"^{url}/{damaged.name}: cannot be read: damaged: not the content"):
            order(module(url, workers=workers).train_dataloader())
        assert asked().count(damaged.name) >= 3
    assert workers or not list(tmp_path.glob("cache/colorgan/shards/*.part"))  # workers are stopped anywhere


def test_a_photograph_that_is_damaged_costs_itself_alone(tmp_path):
    root = make_shards(tmp_path)
    damaged = sorted(root.glob("train-*.tar"))[0]
    content = damaged.read_bytes()
    damaged.write_bytes(content[:1000] + b"damage" + content[1006:])
    data = module(root, batch_size=40)
    (batch,) = data.train_dataloader()
    assert Counter(batch["index"].tolist())[1] == 2 and 0 not in batch["index"].tolist()
    assert data.report() == f"data: 1 file could not be read: {damaged}[0]"


def test_a_server_that_fails_once_is_asked_again(tmp_path, monkeypatch):
    fails = [OSError("connection reset"), TimeoutError("slow")]
    real = storage._open

    def flaky(url):
        if url.endswith(".tar") and fails:
            raise fails.pop()
        return real(url)

    monkeypatch.setattr(storage, "_open", flaky)
    with serve(make_shards(tmp_path)) as (url, _):
        assert ShardedImages(url, True).load(0, 16).shape == (3, 16, 16) and not fails


def test_a_server_that_is_gone_is_one_line(tmp_path):
    with serve(make_shards(tmp_path)) as (url, _):
        pass
    with pytest.raises(UserError, match=f"^{url}/shards.json: cannot be read: ") as error:
        ShardedImages(url, True)
    assert "\n" not in str(error.value)


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    def full(source, target, real=os.replace):
        raise OSError(28, "No space left on device") if str(target).endswith(".tar") else real(source, target)

    with serve(make_shards(tmp_path)) as (url, asked):
        monkeypatch.setattr(storage.os, "replace", full)
        with pytest.raises(
            UserError, match=r"colorgan/shards: no room for a copy of .*\.tar; set data\.shard_dir to a la"
        ):
            ShardedImages(url, True).load(0, 16)
        assert len([name for name in asked() if name.endswith(".tar") and name.startswith("train")]) <= 10


@pytest.mark.parametrize("url, line", [("s3://bucket/set", r"pip install 'colorgan\[stream\]'"), ("x://a", "x")])
def test_object_storage_without_its_package_is_one_line(url, line, monkeypatch):
    def missing(url):
        raise ImportError("Install s3fs to access S3") if url.startswith("s3") else ValueError("Protocol not known: x")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.raises(UserError, match=line):
        ShardedImages(url, True)
