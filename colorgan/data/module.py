"""Batches of photographs for Lightning: workers decode, the device augments."""

import hashlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler, default_collate

from colorgan.data import augment
from colorgan.data.aging import age
from colorgan.data.pictures import Pictures
from colorgan.data.source import Source
from colorgan.errors import UserError
from colorgan.seeding import seed_of

ROOM = 1.125  # training pictures are decoded so much larger than the net's square that a crop loses no detail


class PhotographData(pl.LightningDataModule):
    """Batches `{"rgb": float (B, 3, S, S) in [0, 1], "label": int64 (B,), "index": int64 (B,)}` to train and validate.

    They leave the workers as uint8; crop, flip and the choice of colorful pictures happen on the device. All chance of
    a batch comes from (seed, epoch, batch index, rank).

    Args:
        make_source: gives the source to train on (True) or to validate on (False); called once for each, when needed.
        data: the experiment's `data` node.
        seed: the experiment's.

    Raises:
        UserError: a number in `data` that makes no sense; no photograph can be read; too little shared memory.
    """

    def __init__(self, make_source: Callable[[bool], Source], data: Any, seed: int):
        super().__init__()
        _check(data)
        self.data = data
        self.seed = seed
        self._make_source = make_source
        self._sources: dict[bool, Source] = {}
        self._pictures: dict[bool, Pictures] = {}
        self._left_out: Tensor | None = None  # bool, one for each training picture, on the batches' device
        self._reported = (0, 0)

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of the labels."""
        return self.source(train=True).classes

    def source(self, train: bool) -> Source:
        """The pictures to train on, or to validate on."""
        if train not in self._sources:
            self._sources[train] = self._make_source(train)
        return self._sources[train]

    def prepare_data(self) -> None:
        """Builds the sources where one process goes ahead of the others, so that a download happens once."""
        self.source(train=True)
        self.source(train=False)

    def setup(self, stage: str | None = None) -> None:
        """Makes the datasets of `stage` (all, if None)."""
        # Two workers can be plenty, and a folder of five photographs needs none: nothing for the user to act upon.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        for train in (True, False) if stage in (None, "fit") else (False,):
            self._dataset(train)

    def train_dataloader(self) -> DataLoader:
        """Shuffled by (seed, epoch); the last batch is left out if it is not full, unless it is the only one."""
        return self._loader(train=True)

    def val_dataloader(self) -> DataLoader:
        """In order, all of it."""
        return self._loader(train=False)

    def val_pictures(self, n: int) -> dict[str, Tensor]:
        """The same `n` validation pictures each time, spread evenly over the set, as a batch on the CPU.

        Fewer, if the set has fewer.
        """
        pictures = self._dataset(train=False)
        n = min(n, len(pictures))
        return _as_float(default_collate([pictures[i * len(pictures) // n] for i in range(n)]))

    def look(self, n: int) -> Iterator[dict[str, Tensor]]:
        """Batches of `n` training pictures, spread evenly over the set (fewer, if it has fewer), as they are."""
        pictures = self._dataset(train=True)
        n = min(n, len(pictures))
        for indices in torch.arange(n).split(self.data.batch_size):
            yield _as_float(default_collate([pictures[i * len(pictures) // n] for i in indices.tolist()]))

    def fingerprint(self) -> str:
        """A digest of the training pictures' names, order and size."""
        source = self.source(train=True)
        names = "\0".join([str(self.data.size), *(source.name(i) for i in range(len(source)))])
        return hashlib.blake2b(names.encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()

    @property
    def train_count(self) -> int:
        """How many pictures there are to train on."""
        return len(self.source(train=True))

    def on_after_batch_transfer(self, batch: dict[str, Tensor], dataloader_idx: int) -> dict[str, Tensor]:
        """Turns a uint8 batch into what the nets see; augments it while training."""
        if not (self.trainer and self.trainer.training):
            return _as_float(batch)
        # The loop counts a batch as ready after this hook, so that here the count is the batch's own index.
        index = self.trainer.fit_loop.epoch_loop.batch_progress.current.ready
        seed = seed_of(self.seed, self.trainer.current_epoch, index, self.trainer.global_rank)
        return self.augment(batch, torch.Generator().manual_seed(seed))

    def augment(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """A uint8 batch of training pictures, with near-gray ones replaced, cropped, flipped and aged."""
        if self.data.near_gray > 0:
            batch = self._leave_out_near_gray(batch)
        rgb = augment.random_resized_crop(_as_float(batch)["rgb"], self.data.size, self.data.smallest_crop, generator)
        rgb = augment.flip(rgb, generator) if self.data.flip else rgb
        return {**batch, "rgb": age(rgb, self.data.aging, generator) if self.data.aging else rgb}

    def report(self) -> str | None:
        """One line on files that could not be read and pictures left out so far; None if there is nothing new."""
        broken = [name for pictures in self._pictures.values() for name in pictures.broken_names()]
        gray = 0 if self._left_out is None else int(self._left_out.sum())
        if (len(broken), gray) == self._reported:
            return None
        self._reported = (len(broken), gray)
        parts = []
        if broken:
            some = ", ".join(broken[:3]) + (", ..." if len(broken) > 3 else "")
            parts.append(f"{_count(len(broken), 'file')} could not be read: {some}")
        if gray:
            parts.append(f"{_count(gray, 'near-gray picture')} left out of training")
        return "data: " + "; ".join(parts)

    def _dataset(self, train: bool) -> Pictures:
        if train not in self._pictures:
            size = round(ROOM * self.data.size) if train and self.data.smallest_crop < 1 else self.data.size
            pictures = Pictures(self.source(train), size, self.data.cache, self._workers())
            pictures[0]  # if no photograph at all can be read, it is said here, not by a worker with its traceback
            self._pictures[train] = pictures
        return self._pictures[train]

    def _loader(self, train: bool) -> DataLoader:
        pictures = self._dataset(train)
        replicas, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        sampler = DistributedSampler(pictures, replicas, rank, shuffle=train, seed=self.seed)
        workers = self._workers()
        return _LateLoader(
            pictures,
            batch_size=self.data.batch_size,
            sampler=sampler,
            drop_last=train and len(sampler) >= self.data.batch_size,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=self.trainer is not None and self.trainer.strategy.root_device.type == "cuda",
        )

    def _workers(self) -> int:
        """As many as asked for, up to the processors that this process may use: more are slower, and torch warns."""
        return min(self.data.workers, torch._utils.cpu_count() or 1)

    def _leave_out_near_gray(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        gray = augment.near_gray(batch["rgb"], self.data.near_gray)
        if self._left_out is None:
            self._left_out = torch.zeros(len(self._dataset(train=True)), dtype=torch.bool, device=gray.device)
        self._left_out[batch["index"]] |= gray & ~gray.all()
        chosen = augment.without(gray)
        return {key: value[chosen] for key, value in batch.items()}


class _LateLoader(DataLoader):
    """Begins an epoch at its first batch.

    A resuming Trainer calls `iter()` before it tells the sampler the epoch: workers would begin with that of epoch 0.
    """

    def __iter__(self) -> Iterator[Any]:
        yield from super().__iter__()


def _check(data: Any) -> None:
    for key in ("size", "batch_size"):
        if getattr(data, key) < 1:
            raise UserError(f"data.{key}={getattr(data, key)}: needs at least 1")
    if data.workers < 0:
        raise UserError(f"data.workers={data.workers}: 0 decodes in the training process, more in as many others")
    if not 0 < data.smallest_crop <= 1:
        raise UserError(f"data.smallest_crop={data.smallest_crop}: a share of the area above 0, and at most 1")
    if not 0 <= data.aging <= 1:
        raise UserError(f"data.aging={data.aging}: a share of the pictures, from 0 to 1")


def _as_float(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    return {**batch, "rgb": batch["rgb"].float() / 255}


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
