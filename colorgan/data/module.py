"""The Lightning data module: worker processes decode photographs, the device augments them."""

import hashlib
import warnings
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from colorgan.data import augment
from colorgan.data.aging import age
from colorgan.data.cache import make_cache
from colorgan.data.dataset import ImageDataset
from colorgan.data.loading import ResumableLoader, ResumableSampler, require_same_order
from colorgan.data.source import ImageSource, digest
from colorgan.data.stream import ShardedImages, ShardSampler
from colorgan.errors import UserError
from colorgan.seeding import seed_of

DECODE_SCALE = 1.125  # size of decoded training images relative to the crops, so that a small crop keeps its detail


class PhotographDataModule(pl.LightningDataModule):
    """Data module of training and validation batches.

    A batch is `{"rgb": float (B, 3, S, S) in [0, 1], "label": int64 (B,), "index": int64 (B,)}`. The workers return
    uint8; the device crops, flips and ages the images and replaces near-gray ones. The randomness of a batch depends on
    (seed, epoch, batch index, rank) alone. A batch on the device also has "host_index", the indices that the workers
    read, on the CPU.

    Args:
        make_source: returns the images to train on (True) or to validate on (False); called once for each, when needed.
        data: the `data` node of the experiment.
        seed: the seed of the experiment.

    Raises:
        UserError: a number in `data` is out of range. `setup` and the loaders raise it if no photograph can be read or
            the cache does not fit into shared memory or on the disk.
    """

    def __init__(self, make_source: Callable[[bool], ImageSource], data: Any, seed: int):
        super().__init__()
        _validate(data)
        self.data = data
        self.seed = seed
        self._make_source = make_source
        self._sources: dict[bool, ImageSource] = {}
        self._datasets: dict[bool, ImageDataset] = {}
        self._gray: Tensor | None = None  # bool (2, N): near-gray and replaced, or not replaced; on the device
        self._reported = (0, 0, 0)
        self._saved_order: dict[str, Any] = {}

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of the labels."""
        return self.source(train=True).classes

    def source(self, train: bool) -> ImageSource:
        """Return the images to train on, or to validate on."""
        if train not in self._sources:
            self._sources[train] = self._make_source(train)
        return self._sources[train]

    def prepare_data(self) -> None:
        """Build the sources. Lightning calls this in one process before the others, so that a download happens once."""
        self.source(train=True)
        self.source(train=False)

    def setup(self, stage: str | None = None) -> None:
        """Make the datasets of `stage` (all of them, if None)."""
        # Two workers can be enough, and a small folder needs none, so the warning asks for nothing useful.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        for train in (True, False) if stage in (None, "fit") else (False,):
            self._dataset(train)

    def train_dataloader(self) -> DataLoader:
        """Return the training batches, shuffled by (seed, epoch).

        An incomplete last batch is dropped, unless it is the only one.
        """
        return self._loader(train=True)

    def val_dataloader(self) -> DataLoader:
        """Return all validation batches, in order."""
        return self._loader(train=False)

    def sample_val_batch(self, n: int) -> dict[str, Tensor]:
        """Return `n` validation images, spread evenly over the set, as one batch on the CPU.

        They are the same each time; all of them, if the set has fewer than `n`.
        """
        dataset = self._dataset(train=False)
        return _collate(dataset, _evenly_spaced(n, len(dataset)))

    def sample_train_batches(self, n: int) -> Iterator[dict[str, Tensor]]:
        """Yield batches of `n` training images in total, spread evenly over the set and not augmented, on the CPU.

        They are the same each time; all of them, if the set has fewer than `n`.
        """
        dataset = self._dataset(train=True)
        indices = _evenly_spaced(n, len(dataset))
        for start in range(0, len(indices), self.data.batch_size):
            yield _collate(dataset, indices[start : start + self.data.batch_size])

    def fingerprint(self) -> str:
        """Return a digest of the names, order and size of the training images."""
        source = self.source(train=True)
        names = "\0".join([str(self.data.size), *(source.name(i) for i in range(len(source)))])
        return hashlib.blake2b(names.encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()

    @cached_property
    def digest(self) -> str:
        """A digest of the names and labels of the training images, without their folder."""
        return digest(self.source(train=True))

    @property
    def train_count(self) -> int:
        """Number of training images."""
        return len(self.source(train=True))

    def transfer_batch_to_device(
        self, batch: dict[str, Tensor], device: torch.device, dataloader_idx: int
    ) -> dict[str, Tensor]:
        """Move a batch to the device, and keep its indices on the CPU too, where reading them waits for no device."""
        return {**super().transfer_batch_to_device(batch, device, dataloader_idx), "host_index": batch["index"]}

    def on_after_batch_transfer(self, batch: dict[str, Tensor], dataloader_idx: int) -> dict[str, Tensor]:
        """Convert a uint8 batch to float, and augment it while training."""
        if not (self.trainer and self.trainer.training):
            return _to_float(batch)
        # The loop counts a batch as ready after this hook, so the count is the index of this batch.
        index = self.trainer.fit_loop.epoch_loop.batch_progress.current.ready
        seed = seed_of(self.seed, self.trainer.current_epoch, index, self.trainer.global_rank)
        return self.augment(batch, torch.Generator().manual_seed(seed))

    def augment(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Augment a uint8 training batch: replace near-gray images, then crop, flip and age.

        Args:
            batch: with "rgb" uint8 (B, 3, H, W).
            generator: on the CPU.

        Returns:
            the batch, with "rgb" float (B, 3, S, S) in [0, 1].
        """
        if self.data.near_gray > 0:
            batch = self._replace_near_gray(batch)
        rgb = augment.random_resized_crop(_to_float(batch)["rgb"], self.data.size, self.data.smallest_crop, generator)
        rgb = augment.random_horizontal_flip(rgb, generator) if self.data.flip else rgb
        return {**batch, "rgb": age(rgb, self.data.aging, generator) if self.data.aging else rgb}

    def state_dict(self) -> dict[str, Any]:
        """Return what determines the batches of an epoch; Lightning saves it with a checkpoint."""
        return {
            "data.batch_size": self.data.batch_size,
            "processes": self.trainer.world_size if self.trainer else 1,
            "seed": self.seed,
            "digest of the pictures": self.digest,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Remember what determined the batches of a checkpoint."""
        self._saved_order = state

    def report(self) -> str | None:
        """Return one line about the unreadable files and near-gray images so far; None if there is nothing new.

        To be called in all processes, which have read different images.
        """
        found = [(dataset.source, self._in_any_process(dataset.broken)) for dataset in self._datasets.values()]
        broken = [source.name(int(i)) for source, marks in found for i in marks.nonzero()]
        gray, kept = (0, 0) if self._gray is None else self._in_any_process(self._gray).sum(dim=1).tolist()
        if (len(broken), gray, kept) == self._reported:
            return None
        self._reported = (len(broken), gray, kept)
        parts = []
        if broken:
            some = ", ".join(broken[:3]) + (", ..." if len(broken) > 3 else "")
            parts.append(f"{_plural(len(broken), 'file')} could not be read: {some}")
        if gray:
            parts.append(f"{_plural(gray, 'near-gray picture')} left out of training")
        if kept:
            colors = "a net learns no color from them: give color photographs (data.root), or a lower data.near_gray"
            parts.append(f"{_plural(kept, 'near-gray picture')} trained on, in batches that hold no other; {colors}")
        return "data: " + "; ".join(parts)

    def _dataset(self, train: bool) -> ImageDataset:
        if train not in self._datasets:
            size = round(DECODE_SCALE * self.data.size) if train and self.data.smallest_crop < 1 else self.data.size
            source, workers = self.source(train), self._num_workers()
            cache = make_cache(self.data.cache, self.data.cache_dir, source, size, workers)
            dataset = ImageDataset(source, size, cache)
            dataset[0]  # raises here if no photograph can be read, and not in a worker, with its traceback
            self._datasets[train] = dataset
        return self._datasets[train]

    def _in_any_process(self, marks: Tensor) -> Tensor:
        """Return which of the bool `marks` (N,) are set in any process."""
        if not self.trainer or self.trainer.world_size == 1:
            return marks
        strategy = self.trainer.strategy
        return strategy.reduce(marks.to(strategy.root_device, torch.int32), reduce_op="sum") > 0

    def _loader(self, train: bool) -> DataLoader:
        dataset = self._dataset(train)
        replicas, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        sampler_class = ShardSampler if isinstance(dataset.source, ShardedImages) else ResumableSampler
        sampler = sampler_class(dataset, replicas, rank, shuffle=train, seed=self.seed)
        workers = self._num_workers()
        return ResumableLoader(
            dataset,
            position=self._first_batch if train else lambda: 0,
            batch_size=self.data.batch_size,
            sampler=sampler,
            drop_last=train and len(sampler) >= self.data.batch_size,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=self.trainer is not None and self.trainer.strategy.root_device.type == "cuda",
        )

    def _first_batch(self) -> int:
        """Return the batch of the epoch at which a run goes on.

        Raises:
            UserError: it is not the first, and the batches of the epoch are others than before.
        """
        first = self.trainer.fit_loop.epoch_loop.batch_progress.current.ready if self.trainer else 0
        if first:
            require_same_order(self._saved_order, self.state_dict())
        return first

    def _num_workers(self) -> int:
        """Return `data.workers`, limited to the CPUs of this process: more would be slower, and torch would warn."""
        return min(self.data.workers, torch._utils.cpu_count() or 1)

    def _replace_near_gray(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        gray = augment.near_gray(batch["rgb"], self.data.near_gray)
        if self._gray is None:
            self._gray = torch.zeros(2, len(self._dataset(train=True)), dtype=torch.bool, device=gray.device)
        self._gray[:, batch["index"]] |= torch.stack([gray & ~gray.all(), gray & gray.all()])
        indices = augment.replacement_indices(gray)
        return {key: value if key == "host_index" else value[indices] for key, value in batch.items()}


def _validate(data: Any) -> None:
    if isinstance(data.batch_size, str):
        raise UserError(f"data.batch_size={data.batch_size}: colorgan.train tries out what fits; here, give a number")
    for key in ("size", "batch_size"):
        if getattr(data, key) < 1:
            raise UserError(f"data.{key}={getattr(data, key)}: needs at least 1")
    if data.workers < 0:
        raise UserError(f"data.workers={data.workers}: must be 0 (decode in the training process) or more")
    if not 0 < data.smallest_crop <= 1:
        raise UserError(f"data.smallest_crop={data.smallest_crop}: a share of the area above 0, and at most 1")
    if not 0 <= data.aging <= 1:
        raise UserError(f"data.aging={data.aging}: a share of the pictures, from 0 to 1")


def _evenly_spaced(n: int, length: int) -> list[int]:
    """Return `n` indices in [0, length), evenly spaced; all of them, if `length` is smaller."""
    n = min(n, length)
    return [i * length // n for i in range(n)]


def _collate(dataset: ImageDataset, indices: list[int]) -> dict[str, Tensor]:
    return _to_float(default_collate([dataset[i] for i in indices]))


def _to_float(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Scale "rgb" from uint8 in [0, 255] to float in [0, 1]."""
    return {**batch, "rgb": batch["rgb"].float() / 255}


def _plural(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
