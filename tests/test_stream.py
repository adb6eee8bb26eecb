"""`data.name=stream`: what it reads, in which order, from a folder and from a web server, and what goes wrong."""

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch

from colorgan import config, train
from colorgan.data import storage, stream
from colorgan.data.building import build_data
from colorgan.data.folder import ImageFolder
from colorgan.data.shards import write_shards
from colorgan.data.stream import ShardedImages
from colorgan.errors import UserError
from colorgan.systems import TABLES
from tests.conftest import TINY
from tests.sharding import make_folder, make_shards, module, order, serve, splits
from tests.test_batches import fit


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    monkeypatch.setattr(storage, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(stream, "WINDOW", 2)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


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
