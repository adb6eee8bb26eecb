import numpy as np
import pytest
import torch

from colorgan.errors import UserError
from colorgan.systems.embeddings import Embeddings


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


def test_no_gradient_comes_with_them(tmp_path):
    index = torch.tensor([2])
    assert not Embeddings(tmp_path / "e.npy", 9, 2).lookup(index, Computer(index)).requires_grad


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="embeddings of the pictures cannot be kept"):
        Embeddings(tmp_path / "file/e.npy", 9, 2)
