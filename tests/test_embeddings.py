import resource
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from colorgan import config
from colorgan.errors import UserError
from colorgan.systems import TABLES
from colorgan.systems.building import build
from colorgan.systems.embeddings import Embeddings
from tests.conftest import TINY


class Computer:
    """Makes the vectors (i, i + 0.5) of pictures 10, 11, ...; remembers which were asked for."""

    def __init__(self, index):
        self.index = index
        self.asked = []

    def __call__(self, missing):
        self.asked += self.index[missing].tolist()
        first = self.index[missing].float()
        return torch.stack([first, first + 0.5], dim=1).requires_grad_()


def lookup(embeddings, *pictures):
    """The vectors of these pictures, and for which of them they were computed."""
    index = torch.tensor(pictures)
    computer = Computer(index)
    vectors = embeddings.lookup(index, computer)
    assert torch.equal(vectors, torch.stack([index, index + 0.5], dim=1).float())
    return computer.asked


def test_each_vector_is_computed_once(tmp_path):
    embeddings = Embeddings(tmp_path / "a/b.npy", 9, 2)
    assert lookup(embeddings, 3, 5) == [3, 5]
    assert lookup(embeddings, 5, 3) == []
    assert lookup(embeddings, 3, 8, 5, 1) == [8, 1]


def test_a_later_run_finds_them(tmp_path):
    lookup(Embeddings(tmp_path / "e.npy", 9, 2), 3, 5)
    assert lookup(Embeddings(tmp_path / "e.npy", 9, 2), 3, 4) == [4]


def test_a_file_of_another_shape_is_made_anew(tmp_path):
    lookup(Embeddings(tmp_path / "e.npy", 8, 2), 3)
    assert lookup(Embeddings(tmp_path / "e.npy", 9, 2), 3) == [3]


def test_a_vector_that_a_kill_left_half_is_computed_again(tmp_path):
    lookup(Embeddings(tmp_path / "e.npy", 9, 2), 3)
    rows = np.load(tmp_path / "e.npy", mmap_mode="r+")
    rows[4, 1] = 4.5  # the first value is written last
    rows.flush()
    assert lookup(Embeddings(tmp_path / "e.npy", 9, 2), 3, 4) == [4]


@pytest.mark.parametrize("content", [b"", b"no array of numpy", np.lib.format.magic(1, 0)])
def test_a_broken_file_is_made_anew(tmp_path, content):
    (tmp_path / "e.npy").write_bytes(content)
    assert lookup(Embeddings(tmp_path / "e.npy", 9, 2), 3) == [3]


def test_a_file_that_is_cut_off_is_made_anew(tmp_path):
    lookup(Embeddings(tmp_path / "e.npy", 9, 2), 3)
    whole = (tmp_path / "e.npy").read_bytes()
    (tmp_path / "e.npy").write_bytes(whole[:-1])
    assert lookup(Embeddings(tmp_path / "e.npy", 9, 2), 3) == [3]


def test_a_file_of_other_numbers_is_made_anew(tmp_path):
    np.save(tmp_path / "e.npy", np.zeros((9, 2)))
    assert lookup(Embeddings(tmp_path / "e.npy", 9, 2), 3) == [3]


def test_a_kill_while_the_file_is_made_leaves_nothing_that_counts(tmp_path, monkeypatch):
    def kill(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", kill)
        with pytest.raises(KeyboardInterrupt):
            Embeddings(tmp_path / "e.npy", 9, 2)
    assert list(tmp_path.iterdir()) == []
    assert lookup(Embeddings(tmp_path / "e.npy", 9, 2), 3) == [3]


def test_a_disk_that_holds_no_more_is_one_line_and_gets_its_space_back(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, hard))
    try:
        with pytest.raises(UserError, match="embeddings of the images cannot be stored: File too large"):
            Embeddings(tmp_path / "e.npy", 1000, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_comes_twice_in_a_batch_gets_its_vector_twice(tmp_path):
    embeddings = Embeddings(tmp_path / "e.npy", 9, 2)
    lookup(embeddings, 3, 5, 3)
    assert lookup(embeddings, 5, 5) == []


def test_vectors_of_half_precision_are_kept_in_float32(tmp_path):
    index = torch.tensor([2])
    vectors = Embeddings(tmp_path / "e.npy", 9, 2).lookup(index, lambda _: torch.ones(1, 2, dtype=torch.bfloat16))
    assert vectors.dtype == torch.float32


def test_no_gradient_comes_with_them(tmp_path):
    index = torch.tensor([2])
    assert not Embeddings(tmp_path / "e.npy", 9, 2).lookup(index, Computer(index)).requires_grad


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="embeddings of the images cannot be stored"):
        Embeddings(tmp_path / "file/e.npy", 9, 2)


PLAIN = ("data.flip=false", "data.smallest_crop=1", "data.aging=0", "data.near_gray=0")


@pytest.mark.parametrize(
    "change", [None, "data.flip=true", "data.smallest_crop=0.5", "data.aging=0.5", "data.near_gray=3"]
)
def test_only_images_that_are_the_same_in_every_epoch_have_a_cache(tmp_path, change):
    koala = ["system=supervised", "net=koala", "net.body=resnet10t", "net.body_size=32", f"run_dir={tmp_path}"]
    overrides = [*TINY, *koala, *PLAIN, *([change] if change else [])]
    model = build(config.load("experiments/gan.yaml", overrides, TABLES), fresh=False)
    data = SimpleNamespace(fingerprint=lambda: "images", train_count=2)
    model._trainer = SimpleNamespace(datamodule=data, global_rank=0)
    model.on_fit_start()
    assert (model.embeddings is None) == (change is not None)
