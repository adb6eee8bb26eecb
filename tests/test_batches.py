"""The data module under Lightning's real Trainer."""

from dataclasses import dataclass

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image

from colorgan.data.folder import ImageFolder
from colorgan.data.module import PhotographDataModule
from colorgan.data.photos import SkimagePhotos
from colorgan.errors import UserError
from tests.test_data import draw


@dataclass
class Node:
    """The experiment's `data` node."""

    size: int = 16
    batch_size: int = 4
    workers: int = 0
    cache: str = "ram"
    cache_dir: str | None = None
    flip: bool = True
    smallest_crop: float = 0.6
    aging: float = 0.0
    near_gray: float = 3.5


class Recorder(pl.LightningModule):
    """Records its batches and trains one parameter."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen, self.validated = [], []

    def training_step(self, batch, batch_idx):
        assert batch["rgb"].dtype == torch.float32 and 0 <= batch["rgb"].min() and batch["rgb"].max() <= 1
        self.seen.append((self.current_epoch, batch_idx, batch["index"].tolist(), batch["rgb"].double().sum().item()))
        return self.weight * batch["rgb"].mean()

    def validation_step(self, batch, batch_idx):
        self.validated.append((batch["index"].tolist(), batch["rgb"].double().sum().item()))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def photos(seed=0, crops=18, **node):
    return PhotographDataModule(
        lambda train: SkimagePhotos(None, train, crops) if train else SkimagePhotos(None, train), Node(**node), seed
    )


def fit(data, epochs, folder, resume=None, callbacks=()):
    module = Recorder()
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        logger=False,
        callbacks=list(callbacks),
        enable_checkpointing=bool(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    trainer.fit(module, data, ckpt_path=resume, weights_only=True)
    trainer.save_checkpoint(folder / f"{epochs}.ckpt")
    return module


@pytest.mark.parametrize("workers", [0, 2])
def test_resumed_run_sees_the_batches_of_the_unbroken_one(tmp_path, workers):
    whole = fit(photos(workers=workers), 3, tmp_path)
    assert [(epoch, batch) for epoch, batch, *_ in whole.seen] == [(e, b) for e in range(3) for b in range(4)]
    assert len({total for *_, total in whole.seen}) == 12
    assert whole.seen[0][2] != whole.seen[4][2]  # each epoch has its own order
    fit(photos(workers=workers), 1, tmp_path)
    resumed = fit(photos(workers=workers), 3, tmp_path, resume=tmp_path / "1.ckpt")
    assert resumed.seen == whole.seen[4:]
    assert resumed.validated[-4:] == whole.validated[-4:]


@pytest.mark.filterwarnings("ignore:Be aware that when using .ckpt_path.")
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("every", [{}, {"every_n_train_steps": 4}, {"save_on_train_epoch_end": True}])
def test_resume_from_a_checkpoint_saved_anywhere_at_the_end_of_an_epoch(tmp_path, workers, every):
    saving = pl.callbacks.ModelCheckpoint(tmp_path, "{epoch}", monitor="step", mode="max", save_top_k=-1, **every)
    whole = fit(photos(workers=workers), 3, tmp_path, callbacks=[saving])
    resumed = fit(photos(workers=workers), 3, tmp_path, resume=tmp_path / "epoch=0.ckpt")
    assert resumed.seen == whole.seen[4:]


def test_workers_and_cache_change_no_batch(tmp_path):
    runs = [fit(photos(workers=w, cache=c), 2, tmp_path) for w, c in ((0, "none"), (0, "ram"), (2, "none"), (2, "ram"))]
    assert all(run.seen == runs[0].seen and run.validated == runs[0].validated for run in runs)


def test_seed_and_rank_draw_other_augmentation(tmp_path):
    assert fit(photos(seed=1), 1, tmp_path).seen != fit(photos(seed=2), 1, tmp_path).seen
    batch = {
        "rgb": torch.from_numpy(SkimagePhotos(None, False).load(0, 18)).repeat(4, 1, 1, 1),
        "index": torch.arange(4),
    }
    results = []
    for rank in (0, 1):
        data = photos()
        data.trainer = FakeTrainer(rank)
        results.append(data.on_after_batch_transfer(dict(batch), 0)["rgb"])
        assert results[-1].shape == (4, 3, 16, 16)
    assert not torch.equal(*results)


class FakeTrainer:
    """The attributes of a Trainer that the hook reads."""

    training, current_epoch, world_size = True, 0, 2

    def __init__(self, rank):
        self.global_rank = rank
        self.fit_loop = self.epoch_loop = self.batch_progress = self.current = self.strategy = self
        self.ready, self.root_device = 0, torch.device("cpu")


def test_ranks_share_the_pictures_of_an_epoch():
    orders = []
    for rank in (0, 1):
        data = photos()
        data.trainer = FakeTrainer(rank)
        orders.append([i for batch in data.train_dataloader() for i in batch["index"].tolist()])
    assert len(orders[0]) == len(orders[1]) == 8 and not set(orders[0]) & set(orders[1])


def test_few_photographs_make_one_batch(tmp_path):
    for i in range(3):
        draw(tmp_path / f"train/{i}.png", color=(10 * i, 200, 30))
    draw(tmp_path / "val/a.png")
    seen = fit(PhotographDataModule(lambda train: ImageFolder(tmp_path, train), Node(), 0), 1, tmp_path).seen
    assert len(seen) == 1 and sorted(seen[0][2]) == [0, 1, 2]


def test_a_set_of_gray_photographs_does_not_train_in_silence(tmp_path):
    for i in range(6):
        draw(tmp_path / f"train/{i}.png", color=(200, 40 + 10 * i, 30))
        with Image.open(tmp_path / f"train/{i}.png") as image:
            image.convert("L").save(tmp_path / f"train/{i}.png")
    draw(tmp_path / "val/a.png")
    data = PhotographDataModule(lambda train: ImageFolder(tmp_path, train), Node(batch_size=3), 0)
    fit(data, 2, tmp_path)
    line = data.report()
    assert line.startswith("data: 6 near-gray pictures trained on, in batches that hold no other; a net")
    assert data.report() is None


@pytest.mark.parametrize("workers", [0, 2])
def test_broken_and_gray_files_are_left_out_and_reported_once(tmp_path, workers):
    for i in range(6):
        draw(tmp_path / f"train/{i}.png", color=(200, 40 + 10 * i, 30))
    for i in (2, 4):
        (tmp_path / f"train/{i}.png").write_bytes(b"no picture at all")
    gray = np.tile(np.arange(0, 240, 20, dtype=np.uint8)[:, None, None], (1, 12, 3))
    draw(tmp_path / "val/a.png")
    Image.fromarray(gray).save(tmp_path / "train/5.png")
    data = PhotographDataModule(lambda train: ImageFolder(tmp_path, train), Node(batch_size=6, workers=workers), 0)
    assert data.report() is None
    seen = fit(data, 2, tmp_path).seen
    assert all(len(indices) == 6 and set(indices) == {0, 1, 3} for _, _, indices, _ in seen)
    line = data.report()
    assert line.startswith("data: 2 files could not be read: ") and f"{tmp_path}/train/4.png" in line
    assert line.endswith("; 1 near-gray picture left out of training")
    assert data.report() is None


def test_the_host_keeps_the_indices_that_were_read_where_images_are_replaced():
    data = photos()
    batch = {"rgb": torch.zeros(4, 3, 16, 16, dtype=torch.uint8), "index": torch.arange(4)}
    batch["rgb"][2] = torch.randint(256, (3, 16, 16))  # the others are near-gray
    batch = data.augment(data.transfer_batch_to_device(batch, torch.device("cpu"), 0), torch.Generator())
    assert batch["index"].tolist() == [2, 2, 2, 2]
    assert batch["host_index"].tolist() == [0, 1, 2, 3]


def test_no_readable_file_is_an_error_before_training(tmp_path):
    for name in ("train/a.png", "val/a.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"no picture")
    with pytest.raises(UserError, match="none of the 1 photographs"):
        PhotographDataModule(lambda train: ImageFolder(tmp_path, train), Node(workers=2), 0).setup("fit")


def test_the_sampled_val_batch_is_spread_evenly_and_always_the_same():
    data = photos()
    batch, again = data.sample_val_batch(5), photos().sample_val_batch(5)
    assert batch["label"].tolist() == [0, 1, 2, 3, 4] and batch["rgb"].shape == (5, 3, 16, 16)
    assert batch["rgb"].dtype == torch.float32 and torch.equal(batch["rgb"], again["rgb"])
    assert len(data.sample_val_batch(99)["index"]) == 15


def test_sampled_train_batches_are_spread_evenly_and_not_augmented():
    data = photos(batch_size=4)
    batches = list(data.sample_train_batches(10))
    assert [len(batch["rgb"]) for batch in batches] == [4, 4, 2]
    index = torch.cat([batch["index"] for batch in batches]).tolist()
    assert index == [i * data.train_count // 10 for i in range(10)]
    assert torch.equal(batches[0]["rgb"], next(photos(batch_size=4).sample_train_batches(10))["rgb"])


def test_the_fingerprint_distinguishes_sets_and_sizes():
    same = photos().fingerprint()
    assert same == photos().fingerprint()
    assert len({same, photos(size=17).fingerprint(), photos(crops=5).fingerprint()}) == 3


@pytest.mark.parametrize("wrong", [{"size": 0}, {"batch_size": 0}, {"workers": -1}, {"smallest_crop": 0.0}])
def test_impossible_numbers_are_refused(wrong):
    with pytest.raises(UserError, match=f"data.{next(iter(wrong))}="):
        photos(**wrong)


def test_aging_applies_to_training_and_not_to_validation(tmp_path):
    clean, worn = (fit(photos(aging=share), 1, tmp_path / str(share)) for share in (0.0, 1.0))
    assert [batch[-1] for batch in clean.seen] != [batch[-1] for batch in worn.seen]
    assert clean.validated == worn.validated


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_an_aging_share_outside_0_to_1_is_refused(share):
    with pytest.raises(UserError, match=f"data.aging={share}"):
        photos(aging=share)
