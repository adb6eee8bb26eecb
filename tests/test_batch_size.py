"""`data.batch_size=auto`, and memory that runs out in a training."""

import json
import os
import socket
import subprocess
import sys

import pytest
import torch
from omegaconf import OmegaConf

from colorgan import bench, compare, config
from colorgan.errors import UserError
from colorgan.systems import TABLES
from colorgan.systems.adversarial import Adversarial
from colorgan.training import batch_size
from colorgan.training.batch_size import resolved_batch_size, try_sizes
from tests.conftest import TINY


@pytest.fixture
def experiment():
    return config.load("gan", [*TINY, "data.batch_size=auto"], TABLES)


class LinearMemory:
    """A process of 100 bytes whose peak grows by 10 for each picture."""

    loaded = 100
    size = 0

    def __init__(self, device):
        pass

    def reset(self):
        pass

    def peak(self):
        return self.loaded + 10 * LinearMemory.size


@pytest.fixture
def fake(monkeypatch):
    """Fakes a machine with so many bytes free, where batches above `fits` are out of memory; returns those tried."""

    def install(free, fits, error=None):
        tried = []

        def fit(experiment):
            LinearMemory.size = experiment.data.batch_size
            tried.append(LinearMemory.size)
            if LinearMemory.size > fits:
                raise error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

        monkeypatch.setattr(batch_size, "PeakMemory", LinearMemory)
        monkeypatch.setattr(batch_size, "memory_limits", lambda: (0, free))
        monkeypatch.setattr(batch_size, "fit", fit)
        return tried

    return install


def test_sizes_rise_until_one_does_not_fit(fake, experiment):
    tried = fake(free=10**6, fits=20)
    assert list(try_sizes(experiment)) == [{"batch_size": n, "peak": 100 + 10 * n} for n in (2, 4, 8, 16)]
    assert tried == [2, 4, 8, 16, 32]


def test_on_a_cpu_none_is_tried_that_would_not_fit(fake, experiment):
    tried = fake(free=450, fits=1000)  # of which 360 may be used: 36 pictures
    assert [trial["batch_size"] for trial in try_sizes(experiment)] == tried == [2, 4, 8, 16, 32]


def test_no_batch_is_larger_than_the_photographs(fake, experiment):
    fake(free=10**6, fits=1000)
    few = config.resolve(config.plain(experiment), ["data.crops=13"], TABLES, origin="test")
    assert [trial["batch_size"] for trial in try_sizes(few)] == [2, 4, 8]


def test_another_error_ends_the_search(fake, experiment):
    fake(free=10**6, fits=3, error=UserError("optim: Invalid learning rate"))
    assert list(try_sizes(experiment)) == [{"batch_size": 2, "peak": 120}, {"error": "optim: Invalid learning rate"}]


def ends(monkeypatch, code, output, errors=""):
    """Makes the process of the search end so."""
    done = subprocess.CompletedProcess([], code, output, errors)
    monkeypatch.setattr(batch_size, "_search", lambda experiment: done)


@pytest.mark.slow  # a process more, and a training for each size
def test_a_real_search(tiny_train, tmp_path, capsys):
    assert tiny_train("data.batch_size=auto", "data.crops=9") == 0
    assert OmegaConf.load(tmp_path / "run/experiment.yaml").data.batch_size == 8
    assert "data.batch_size=auto: 8, with " in capsys.readouterr().out


@pytest.mark.slow
def test_a_failure_that_is_not_of_memory_is_one_line(tiny_train, capsys):
    assert tiny_train("data.batch_size=auto", "data=folder", "data.root=nowhere") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("data.batch_size=auto: nowhere: no such folder")


def test_what_is_found_stays_with_the_run(tiny_train, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        ends(patch, 0, '{"batch_size": 2, "peak": 1500000000}\n')
        assert tiny_train("data.batch_size=auto") == 0
    run = tmp_path / "run"
    assert OmegaConf.load(run / "experiment.yaml").data.batch_size == 2
    assert "data.batch_size=auto: 2, with 1.5 GB of memory at the peak" in capsys.readouterr().out
    assert batch_size.FOUND not in os.environ
    monkeypatch.setattr(batch_size, "_find", None)
    assert tiny_train("--resume", "data.batch_size=auto", "trainer.max_epochs=2") == 0
    assert OmegaConf.load(run / "experiment.yaml").data.batch_size == 2


def test_a_search_that_the_system_kills_has_found_what_fitted(experiment, monkeypatch):
    ends(monkeypatch, -9, "".join(json.dumps({"batch_size": n, "peak": 1}) + "\n" for n in (2, 4)))
    with resolved_batch_size(experiment) as found:
        assert found.data.batch_size == 4


@pytest.mark.parametrize(
    ("code", "errors", "said"),
    [(-9, "", "not even 2 pictures fit in memory"), (1, "Traceback\nKeyError: 3\n", "KeyError: 3")],
)
def test_a_search_that_finds_nothing_is_one_line(experiment, monkeypatch, code, errors, said):
    ends(monkeypatch, code, "", errors)
    with pytest.raises(UserError, match=f"data.batch_size=auto: {said}"), resolved_batch_size(experiment):
        pass


def test_what_the_launcher_found_is_not_tried_again(experiment, monkeypatch):
    monkeypatch.setattr(batch_size, "_find", None)
    monkeypatch.setenv(batch_size.FOUND, "32")
    with resolved_batch_size(experiment) as found:
        assert found.data.batch_size == 32


@pytest.mark.parametrize("value", ["abc", "true", "2.5", "null"])
def test_another_word_is_refused(tiny_train, capsys, value):
    assert tiny_train(f"data.batch_size={value}") == 2
    assert "write a number of pictures, or auto" in capsys.readouterr().err


def test_measurements_need_a_number(tmp_path, capsys):
    assert bench.main(["train", "gan", *TINY[:3], "data.batch_size=auto"]) == 2
    assert compare.main(["gan", "--budget", "1s", "--out", str(tmp_path), "data.batch_size=auto"]) == 2
    assert capsys.readouterr().err.count("data.batch_size=auto: colorgan.train tries out what fits") == 2


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory."),
            "out of memory with data.batch_size=4 at data.size=32: take data.batch_size=2",
        ),
        (MemoryError(), "optim.accumulate=2"),
        (
            RuntimeError("adaptive_avg_pool2d_backward_cuda does not have a deterministic implementation, but"),
            "adaptive_avg_pool2d_backward_cuda has no",
        ),
        (RuntimeError("DataLoader worker (pid 3) is killed by signal: Killed. "), "data.workers=0"),
    ],
)
def test_what_a_setting_can_avoid_is_one_line(tiny_train, monkeypatch, capsys, error, said):
    def training_step(self, batch, batch_idx):
        raise error

    monkeypatch.setattr(Adversarial, "training_step", training_step)
    assert tiny_train() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


PAIR = """
import os
from colorgan.errors import UserError
from colorgan.training.launching import from_first_process

rank = os.environ["RANK"]
print(from_first_process(lambda: f"found by {rank}"))

def fail():
    raise UserError(f"refused by {rank}")

try:
    from_first_process(fail)
except UserError as error:
    print(error)
"""


def test_all_processes_get_what_the_first_found():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    world = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    world |= {"TORCHELASTIC_RUN_ID": "test", "GROUP_RANK": "0"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PAIR],
            env={**os.environ, **world, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    assert [process.communicate(timeout=300)[0] for process in processes] == ["found by 0\nrefused by 0\n"] * 2
