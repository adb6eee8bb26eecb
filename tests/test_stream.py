"""`data.name=stream`: what it reads, in which order, from a folder and from a web server, and what goes wrong."""

import json
import os
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch

from colorgan import config, train
from colorgan.data import storage, stream
from colorgan.data.building import build_data
from colorgan.data.folder import ImageFolder
from colorgan.data.module import PhotographDataModule
from colorgan.data.shards import write_shards
from colorgan.data.stream import ShardedImages
from colorgan.errors import UserError
from colorgan.systems import TABLES
from tests.conftest import TINY
from tests.sharding import make_folder, make_shards, serve, splits
from tests.test_batches import FakeTrainer, Node, fit


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    monkeypatch.setattr(storage, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(stream, "WINDOW", 2)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def module(root, rank=None, seed=0, **node):
    data = PhotographDataModule(lambda train: ShardedImages(root, train), Node(**{"cache": "none", **node}), seed)
    if rank is not None:
        data.trainer = FakeTrainer(rank)
    return data


def order(loader):
    return [i for batch in loader for i in batch["index"].tolist()]


def copies(tmp_path):
    return sorted(path.name for path in tmp_path.glob("cache/colorgan/shards/*.tar"))


@pytest.mark.parametrize("train", [True, False])
def test_it_reads_what_the_folder_reads(tmp_path, train):
    root, folder = make_shards(tmp_path), ImageFolder(tmp_path / "folder", train)
    source = ShardedImages(root, train)
    assert len(source) == len(folder) and source.classes == folder.classes == ["sea", "wood"]
    contents = {(folder.root / name).read_bytes(): i for i, name in enumerate(folder.names)}
    for i in range(len(source)):
        j = contents.pop(source.read(i))
        assert np.array_equal(source.load(i, 20), folder.load(j, 20)) and source.label(i) == folder.label(j)
    assert not contents


def test_names_say_the_shard_and_the_number(tmp_path):
    root = make_shards(tmp_path)
    source = ShardedImages(root, True)
    shards = json.loads((root / "shards.json").read_text())["splits"]["train"]["shards"]
    expected = [f"{root}/{shard['file']}[{n}]" for shard in shards for n in range(shard["pictures"])]
    assert [source.name(i) for i in range(len(source))] == expected


def test_a_run_is_the_same_with_and_without_workers_and_resumes(tmp_path):
    root = make_shards(tmp_path)
    runs = [fit(module(root, workers=w, cache=c), 3, tmp_path) for w, c in ((0, "none"), (2, "none"), (2, "ram"))]
    assert all(run.seen == runs[0].seen and run.validated == runs[0].validated for run in runs)
    assert len(runs[0].seen) == 30
    fit(module(root), 1, tmp_path)
    resumed = fit(module(root, workers=2), 3, tmp_path, resume=tmp_path / "1.ckpt")
    assert resumed.seen == runs[0].seen[10:] and len(resumed.seen) == 20


def test_the_order_is_a_function_of_seed_and_epoch(tmp_path):
    root = make_shards(tmp_path)

    def orders(seed):
        loader = module(root, seed=seed).train_dataloader()
        for epoch in (0, 1):
            loader.sampler.set_epoch(epoch)
            yield order(loader)

    first, again, other = list(orders(5)), list(orders(5)), list(orders(6))
    assert first == again
    assert len({tuple(found) for found in (*first, *other)}) == 4
    assert all(sorted(found) == list(range(40)) for found in (*first, *other))


@pytest.mark.parametrize("batches", [0, 1, 3, 9])
def test_an_epoch_goes_on_at_any_batch(tmp_path, batches):
    data = module(make_shards(tmp_path), 0)
    whole = order(data.train_dataloader())
    data.trainer.ready = batches
    loader = data.train_dataloader()
    assert order(loader) == whole[batches * loader.batch_size :]
    data.trainer.ready = 0
    assert order(loader) == whole  # the next epoch begins at its beginning


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("workers", [0, 2])
def test_two_ranks_see_each_picture_once(tmp_path, train, workers):
    root = make_shards(tmp_path)
    found = []
    for rank in (0, 1):
        data = module(root, rank, workers=workers)
        found.append(order(data.train_dataloader() if train else data.val_dataloader()))
    assert len(found[0]) == len(found[1]) and sorted(found[0] + found[1]) == list(range(40 if train else 6))


def test_ranks_get_as_many_where_pictures_cannot_be_divided(tmp_path):
    data = module(make_shards(tmp_path, train=9), 0)
    own = list(data.train_dataloader().sampler)
    other = list(module(tmp_path / "set", 1).train_dataloader().sampler)
    assert len(own) == len(other) == 5
    assert sorted(Counter(own + other).values()) == [1] * 8 + [2]


def test_a_rank_reads_a_few_shards_at_a_time(tmp_path):
    root = make_shards(tmp_path, 12_000, train=60)
    source = ShardedImages(root, True)
    sampler = module(root, 0, batch_size=1).train_dataloader().sampler
    seen = source.shard_of(np.array(list(sampler))).tolist()
    assert len(source.ends) > 15
    assert len(set(seen)) <= len(source.ends) // 2 + 2  # the other rank reads the others
    spans = {shard: (seen.index(shard), len(seen) - seen[::-1].index(shard)) for shard in set(seen)}
    assert max(sum(begin <= i < end for begin, end in spans.values()) for i in range(len(seen))) <= 4  # two windows
    assert any(b < a for a, b in pairwise(seen[:6]))  # and mixes them


def test_skipped_batches_change_no_later_one(tmp_path):
    sampler = module(make_shards(tmp_path)).train_dataloader().sampler
    sampler.set_epoch(3)
    whole, later = list(sampler), iter(sampler)
    for _ in range(17):
        next(later)
    assert list(later) == whole[17:]


def test_sets_are_joined_and_classes_of_the_same_name_are_one(tmp_path):
    make_folder(tmp_path / "other/folder", train=12, val=2)
    (tmp_path / "other/folder/train/sea").rename(tmp_path / "other/folder/train/hill")
    (tmp_path / "other/folder/val/sea").rename(tmp_path / "other/folder/val/hill")
    write_shards(splits(tmp_path / "other/folder"), tmp_path / "other/set", 20_000)
    one, other = make_shards(tmp_path), tmp_path / "other/set"
    both = ShardedImages(one, True, also=[str(other)])
    assert len(both) == 52 and both.classes == ["hill", "sea", "wood"]
    for alone, first in ((ShardedImages(one, True), 0), (ShardedImages(other, True), 40)):
        for i in range(len(alone)):
            assert both.read(first + i) == alone.read(i) and both.name(first + i) == alone.name(i)
            assert both.classes[both.label(first + i)] == alone.classes[alone.label(i)]


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


def test_a_cache_that_does_not_fit_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"data\.cache=disk .*take data\.cache=ram or none"):
        module(make_shards(tmp_path), cache="disk").setup()


def test_an_experiment_trains_from_shards(tmp_path, capsys):
    root = make_shards(tmp_path)
    data = [f"data.{key}" for key in ("name=stream", f"root={root}", "near_gray=0", "cache=none", "workers=2")]
    assert train.main(["experiments/gan-folder.yaml", *TINY, f"run_dir={tmp_path / 'run'}", *data]) == 0
    assert (tmp_path / "run/last.ckpt").exists()
    lost = sorted(root.glob("train-*.tar"))[0]
    lost.unlink()
    capsys.readouterr()
    assert train.main(["experiments/gan-folder.yaml", *TINY, f"run_dir={tmp_path / 'again'}", *data]) == 2
    assert capsys.readouterr().err == f"error: {lost}: no such file, which the set needs\n"


def test_a_url_is_passed_on_as_it_is(tmp_path):
    with serve(make_shards(tmp_path)) as (url, _):
        keys = ["data.name=stream", f"data.root={url}", f"data.shard_dir={tmp_path / 'here'}", "data.shard_gb=1"]
        data = build_data(config.load("experiments/gan-folder.yaml", [*TINY, *keys], TABLES))
        batch = next(iter(data.val_dataloader()))
        assert batch["rgb"].dtype == torch.uint8 and batch["rgb"].shape == (4, 3, 32, 32)
        assert list(tmp_path.glob("here/*.tar"))
