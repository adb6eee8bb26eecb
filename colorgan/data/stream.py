"""Shards as a dataset: an indexed source, and a sampler that reads a few shards at a time."""

import hashlib
import io
import json
import os
import zlib
from collections.abc import Iterator
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from colorgan.data.dataset import ImageDataset
from colorgan.data.loading import ResumableSampler
from colorgan.data.shards import FORMAT, SUMMARY, Shard
from colorgan.data.source import require_root
from colorgan.data.storage import Prefetcher, Storage, UnreachableError
from colorgan.errors import UserError
from colorgan.imaging import images
from colorgan.packaged import user_cache
from colorgan.seeding import seed_of

WINDOW = 8  # shards whose pictures are mixed
_ATTEMPTS = 3  # to open a copy of a shard that other processes may delete


class ShardedImages:
    """The photographs of shards that `colorgan.prepare --shards` has written, in a folder or at a URL.

    Any picture is read by its index. Remote shards are copied as a whole when they are first needed, and the copies are
    kept up to a size.

    Args:
        root: folder or URL of a set: s3://, gs://, https:// and what else fsspec knows.
        train: whether to return the training split or the validation split.
        also: further sets; classes of the same name are one.
        shard_dir: folder for copies of remote shards; default: colorgan/shards in the user's cache folder.
        shard_gb: GB of copies to keep there, for all processes of a machine.

    Raises:
        UserError: `root` is not set, or a set is incomplete, damaged or out of reach.
    """

    def __init__(
        self,
        root: str | Path | None,
        train: bool,
        also: list[str] = [],  # noqa: B006
        shard_dir: str | None = None,
        shard_gb: float = 100.0,
    ):
        if root is None:
            require_root(root, "the folder or URL of the shards")
        folder = Path(shard_dir).expanduser() if shard_dir else user_cache() / "shards"
        places = [str(place) if "://" in str(place) else str(Path(place).expanduser()) for place in [root, *also]]
        found = [_read_set(Storage(place, folder, round(shard_gb * 1e9)), train) for place in places]
        self.classes = sorted({name for part in found for name in part.classes})
        self.index = np.concatenate([part.index for part in found])
        self._labels = np.concatenate(
            [np.array([self.classes.index(name) for name in p.classes], np.int64)[p.index["label"]] for p in found]
        )
        self._shards = [(part.storage, shard) for part in found for shard in part.shards]
        self.ends = np.cumsum([shard.pictures for _, shard in self._shards])
        needed = 2 * WINDOW * max(shard.bytes for _, shard in self._shards)
        total = sum(shard.bytes for storage, shard in self._shards if storage.is_remote)
        if shard_gb * 1e9 < min(needed, total):
            raise UserError(
                f"data.shard_gb={shard_gb:g}: {2 * WINDOW} shards are in use at a time, {needed / 1e9:.2f} GB a process"
            )

    def __len__(self) -> int:
        """Return the number of photographs."""
        return len(self.index)

    def label(self, index: int) -> int:
        """Return the photograph's class, as an index into `classes`."""
        return int(self._labels[index])

    def name(self, index: int) -> str:
        """Return the photograph's shard and its number there, as in `s3://bucket/train-00003-1f2e3d4c.tar[17]`."""
        number = self.shard_of(index)
        storage, shard = self._shards[number]
        return f"{storage.root}/{shard.file}[{index - self.ends[number] + shard.pictures}]"

    def load(self, index: int, size: int) -> np.ndarray:
        """Return the center square of the photograph, resized to uint8 (3, size, size).

        Raises:
            UserError: the photograph is damaged.
            UnreachableError: its shard cannot be read.
        """
        return images.thumbnail_from(self.read(index), self.name(index), size)

    def read(self, index: int) -> bytes:
        """Return the file of the photograph.

        Raises:
            UserError: the photograph is damaged.
            UnreachableError: its shard cannot be read.
        """
        row = self.index[index]
        number = self.shard_of(index)
        problem = None
        for _ in range(_ATTEMPTS):
            try:
                with open(self.fetch(number), "rb", buffering=0) as file:
                    content = os.pread(file.fileno(), int(row["size"]), int(row["offset"]))
            except OSError as error:
                problem = error
                continue
            if zlib.crc32(content) != row["crc32"]:
                raise UserError(f"{self.name(index)}: damaged")
            return content
        raise UnreachableError(f"{problem.filename}: {problem.strerror}") from problem

    def shard_of(self, index: int | np.ndarray) -> np.ndarray:
        """Return the number of the shard of each index."""
        return np.searchsorted(self.ends, index, side="right")

    def is_remote(self, number: int) -> bool:
        """Return whether `fetch` copies the shard."""
        return self._shards[number][0].is_remote

    def fetch(self, number: int) -> Path:
        """Return the path of a shard, or of a local copy of it.

        Raises:
            UnreachableError: it cannot be read.
        """
        storage, shard = self._shards[number]
        return storage.fetch(shard.file, shard.sha256)


class ShardSampler(ResumableSampler):
    """Order of an epoch in which each process reads a few shards at a time.

    The shards are shuffled and cut into equal parts, one for each process, so that it reads its part of the set alone.
    Within its part, pictures of `WINDOW` shards are mixed. The order depends on (seed, epoch, number of processes)
    alone. If the pictures cannot be divided evenly, the first ones are repeated, fewer than there are processes, as
    DistributedSampler does.

    Args:
        dataset: of a source of ShardedImages.
        replicas: number of processes.
        rank: of this process.
        shuffle: False for the order of the set.
        seed: of the experiment.
    """

    def __init__(self, dataset: ImageDataset, replicas: int, rank: int, shuffle: bool, seed: int):
        super().__init__(dataset, replicas, rank, shuffle=shuffle, seed=seed)
        self.source: ShardedImages = dataset.source
        self._prefetcher = Prefetcher()

    def __iter__(self) -> Iterator[int]:
        """Yield the indices of this process, and copy shards of the next window meanwhile."""
        windows = _leave_out(self._windows(), self.take_skipped())
        for window, following in zip_longest(windows, windows[1:]):
            parts = [window] if following is None else [window, following]
            shards = dict.fromkeys(number for part in parts for number in self.source.shard_of(part).tolist())
            remote = [number for number in shards if self.source.is_remote(number)]
            self._prefetcher.want([partial(self.source.fetch, number) for number in remote])
            yield from window.tolist()

    def _windows(self) -> list[np.ndarray]:
        sizes = np.diff(self.source.ends, prepend=0)
        shards = np.arange(len(sizes))
        if self.shuffle:
            shards = _permutation(len(sizes), seed_of(self.seed, self.epoch))
        order = np.concatenate([np.arange(self.source.ends[n] - sizes[n], self.source.ends[n]) for n in shards])
        own = np.resize(order, self.total_size)[self.rank * self.num_samples : (self.rank + 1) * self.num_samples]
        length = WINDOW * -(-len(order) // len(sizes))
        windows = [own[start : start + length] for start in range(0, len(own), length)]
        if not self.shuffle:
            return windows
        seeds = [seed_of(self.seed, self.epoch, self.rank, n) for n in range(len(windows))]
        return [part[_permutation(len(part), seed)] for part, seed in zip(windows, seeds, strict=True)]


def _leave_out(windows: list[np.ndarray], n: int) -> list[np.ndarray]:
    """Leave out the first n indices of windows."""
    starts = np.cumsum([0, *map(len, windows)])
    kept = (window[max(0, n - start) :] for window, start in zip(windows, starts, strict=False))
    return [window for window in kept if len(window)]


def _permutation(n: int, seed: int) -> np.ndarray:
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed)).numpy()


class _Part(NamedTuple):
    storage: Storage
    classes: list[str]
    shards: list[Shard]
    index: np.ndarray


def _read_set(storage: Storage, train: bool) -> _Part:
    """Read the description of a split, and check that its shards are there.

    Raises:
        UserError: it is not complete, or damaged.
    """
    try:
        content = storage.read(SUMMARY)
    except UnreachableError as error:
        if not isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            raise
        raise UserError(
            f"{storage.root}: no {SUMMARY} there, so no complete set of shards; `colorgan prepare SRC DST --shards` "
            "writes one to DST/shards"
        ) from error
    try:
        summary = json.loads(content)
        version, classes = summary["format"], summary["classes"]
        split = summary["splits"]["train" if train else "val"]
        shards = [Shard(**shard) for shard in split["shards"]]
        name, sha256 = split["index"], split["index_sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{storage.root}/{SUMMARY}: damaged; copy it again") from error
    if version != FORMAT:
        raise UserError(f"{storage.root}: shards of format {version}; this version of colorgan reads {FORMAT}")
    content = storage.read(name)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise UserError(f"{storage.root}/{name}: damaged; copy it again")
    for shard, size in zip(shards, storage.sizes([shard.file for shard in shards]), strict=True):
        if size not in (shard.bytes, None):
            raise UserError(f"{storage.root}/{shard.file}: {size} bytes in place of {shard.bytes}; copy it again")
    return _Part(storage, classes, shards, np.load(io.BytesIO(content), allow_pickle=False))
