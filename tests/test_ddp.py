"""Two processes on the CPU, as torchrun or Lightning start them on several GPUs."""

import subprocess
import sys

import pytest
import torch

from tests.conftest import TINY

SCRIPT = """
import hashlib, os, sys, torch
from pytorch_lightning.callbacks import Timer
from colorgan import train
from colorgan.systems.colorization import Colorization

torch.set_num_threads(1)
clock = Timer.time_elapsed

def time_elapsed(self, stage="train"):  # the clock of the second rank is a minute ahead
    return clock(self, stage) + 60 * (os.environ.get("LOCAL_RANK", "0") != "0")

def on_train_end(self):
    digest = hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in self.parameters())).hexdigest()
    torch.save(digest, f"rank{self.global_rank}.pt")

Colorization.on_train_end = on_train_end
Timer.time_elapsed = time_elapsed
sys.exit(train.main(sys.argv[1:]))
"""


LIMITED = ["trainer.max_time=00:00:10:00"]


@pytest.mark.parametrize(
    "settings",
    [
        ["optim.schedule=constant"],
        ["optim.schedule=cosine", *LIMITED],
        ["system=supervised", "optim.schedule=cosine", *LIMITED],
    ],
    ids=" ".join,
)
def test_two_ranks_agree_and_write_once(tmp_path, request, settings):
    (tmp_path / "two.py").write_text(SCRIPT)
    experiment = request.config.rootpath / "experiments/gan.yaml"
    arguments = [*TINY, "trainer.devices=2", "trainer.max_epochs=2", "checkpoint.keep=1", "run_dir=run", *settings]
    command = [sys.executable, "two.py", str(experiment), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1))
    assert first == second
    left = sorted(path.name for path in (tmp_path / "run").glob("*.ckpt"))
    assert left == ["best.ckpt", "epoch=001.ckpt", "last.ckpt"]


def test_ranks_that_come_apart_stop_in_one_line(tmp_path, request):
    apart = """
from colorgan.systems.supervised import Supervised

step = Supervised.training_step

def training_step(self, batch, batch_idx):
    step(self, batch, batch_idx)
    if self.global_rank and batch_idx == 1:
        self.model.net.head.bias.data.add_(1e-6)

Supervised.training_step = training_step
"""
    (tmp_path / "two.py").write_text(SCRIPT.replace("torch.set_num_threads(1)", f"torch.set_num_threads(1){apart}"))
    experiment = request.config.rootpath / "experiments/gan.yaml"
    settings = ["system=supervised", "trainer.devices=2", "trainer.compare_ranks=2", "run_dir=run"]
    command = [sys.executable, "two.py", str(experiment), *TINY, *settings]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert "epoch 0, batch 1: the processes have come apart, first in model.net.head.bias" in done.stderr
    assert "Traceback" not in done.stderr
