"""Two processes on the CPU, as torchrun or Lightning start them on several GPUs."""

import subprocess
import sys

import torch

from tests.conftest import TINY

SCRIPT = """
import hashlib, sys, torch
from colorgan import train
from colorgan.systems.colorization import Colorization

torch.set_num_threads(1)

def on_train_end(self):
    digest = hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in self.parameters())).hexdigest()
    torch.save(digest, f"rank{self.global_rank}.pt")

Colorization.on_train_end = on_train_end
sys.exit(train.main(sys.argv[1:]))
"""


def test_two_ranks_agree_and_write_once(tmp_path, request):
    (tmp_path / "two.py").write_text(SCRIPT)
    experiment = request.config.rootpath / "experiments/gan.yaml"
    arguments = [*TINY, "trainer.devices=2", "trainer.max_epochs=2", "checkpoint.keep=1", "run_dir=run"]
    command = [sys.executable, "two.py", str(experiment), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1))
    assert first == second
    left = sorted(path.name for path in (tmp_path / "run").glob("*.ckpt"))
    assert left == ["best.ckpt", "epoch=001.ckpt", "last.ckpt"]
