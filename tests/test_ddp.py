"""Two processes on the CPU, as torchrun starts them on several GPUs.

Starting a pair takes ten seconds, so one pair trains all settings, one after the other.
"""

import csv
import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.conftest import TINY

SCRIPT = """
import hashlib, json, os, signal, sys, torch
from pathlib import Path
from pytorch_lightning.callbacks import Timer
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from colorgan import train
from colorgan.data.module import PhotographDataModule
from colorgan.systems.base import System
from colorgan.training import checkpoints, trainer

torch.set_num_threads(1)
rank = int(os.environ["RANK"])
clock, end, wrapped = Timer.time_elapsed, System.on_train_batch_end, System.replicate
batches, step = PhotographDataModule.sample_train_batches, System.training_step
checkpoints.AGREE_EVERY = 1
seen = {}

def time_elapsed(self, stage="train"):  # the clock of the second rank is a minute ahead
    return clock(self, stage) + 60 * rank

def replicate(self, wrap):
    def hook(group, bucket):
        seen["reduced"] += bucket.buffer().numel()
        return allreduce_hook(group, bucket)

    wrapped(self, wrap)
    for replica in self._replicas.values():
        replica.register_comm_hook(None, hook)
    trained = {name: [p for p in net.parameters() if p.requires_grad] for name, (net, _) in self.networks().items()}
    seen.update(reduced=0, batches=0, sizes={name: sum(p.numel() for p in ps) for name, ps in trained.items()})

def on_train_batch_end(self, *args):
    seen["batches"] += 1
    end(self, *args)

def training_step(self, batch, batch_idx):  # the second rank is asked to stop
    if self.experiment.name == "stopped" and batch_idx == rank == 1 and not self.trainer.ckpt_path:
        os.kill(os.getpid(), signal.SIGTERM)
    return step(self, batch, batch_idx)

def on_train_end(self):
    state = b"".join(value.numpy().tobytes() for value in self.state_dict().values())
    seen["digest"] = hashlib.sha256(state).hexdigest()

def sample_train_batches(self, n):
    seen["initialized"] = True
    return batches(self, n)

for name in ("replicate", "on_train_batch_end", "training_step", "on_train_end"):
    setattr(System, name, globals()[name])
PhotographDataModule.sample_train_batches = sample_train_batches
trainer.draw_curves = lambda rows, path: None
Timer.time_elapsed = time_elapsed
results = []
for arguments in json.loads(Path("runs.json").read_text()):
    seen.clear()
    code = train.main([argument.replace("RANK", str(rank)) for argument in arguments])
    results.append({"code": code, **seen})
    Path(f"results{rank}.json").write_text(json.dumps(results))
"""
LIMITED = ["trainer.max_time=00:00:10:00"]
ACCUMULATED = ["optim.accumulate=2"]
PROJECTED = ["discriminator=projected", "discriminator.body=resnet10t", "pretrained=false"]
HINTED = ["net=encoder_unet", "net.body=test_efficientnet", "net.hints=true", "pretrained=false"]
HINTED += ["system.hint_share=0.5", "optim.encoder_lr=0.5", "optim.encoder_warmup=1"]
THREE_BATCHES = ["trainer.max_epochs=2", "trainer.limit_train_batches=3"]
SCHEDULES = ("constant", "step", "exponential", "linear", "cosine", "plateau")
RUNS = {
    **{
        " ".join([system, schedule, *limit]): [f"system={system}", f"optim.schedule={schedule}", *limit]
        for system in ("adversarial", "supervised")
        for schedule in SCHEDULES
        for limit in ([], LIMITED)
    },
    "steps of the generator": ["system.generator_steps=2", "trainer.strategy=ddp"],
    "accumulated": ACCUMULATED,
    "accumulated supervised": ["system=supervised", *ACCUMULATED],
    "sparse": ["system=supervised", "net=hypercolumn", "codec=histograms", "pretrained=false", "net.width=4"],
    "scenes": ["system=supervised", "system.scene_weight=0.1", "net=iizuka", "net.width=4", "net.global_size=32"],
    "prior": ["system=supervised", "net=zhang", "codec=bins", "net.width=4"],
    "frozen body": ["system=supervised", "net=koala", "pretrained=false", "net.body=resnet10t", "net.body_size=32"],
    "classifier": ["system=classifier", "pretrained=false", "system.body=resnet10t", "checkpoint.monitor=val/loss"],
    "muon": ["optim.optimizer=muon"],
    "hints": ["system=supervised", "codec.uncertainty=true", *HINTED],
    "hints in a GAN, accumulated": [*HINTED, "optim.optimizer=muon", *ACCUMULATED],
    "kept statistics": ["system=supervised", "net.statistics=kept", *HINTED],
    "color first": ["system.color_first=0.5"],
    "relativistic": ["system.loss=relativistic", "system.real_label=1", "system.gradient_penalty=1"],
    "mixing": [*PROJECTED, "discriminator.mixing=true"],
    "two folders": ["data.name=folder", "data.root=folderRANK", "data.also=[moreRANK]"],
    "three pictures": ["data.crops=3"],
    "uneven": ["data.crops=13", "trainer.limit_train_batches=1.0"],
    "folders": ["data.name=folder", "data.root=folderRANK", "data.near_gray=3.5", "trainer.limit_train_batches=1.0"],
    "other folders": ["data.name=folder", "data.root=otherRANK"],
    "two epochs": ["trainer.max_epochs=2"],
    "resumed": ["--resume", "trainer.max_epochs=2", "run_dir=run0"],
    "whole": THREE_BATCHES,
    "stopped": [*THREE_BATCHES, "name=stopped"],
}
RUNS["resumed in an epoch"] = ["--resume", *THREE_BATCHES, f"run_dir=run{list(RUNS).index('stopped')}"]


def start_pair(folder, runs, script=SCRIPT):
    """Run a list of arguments of colorgan.train in two processes; return the output of both."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    (folder / "two.py").write_text(script)
    (folder / "runs.json").write_text(json.dumps(runs))
    world = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    elastic = {"TORCHELASTIC_RUN_ID": "test", "GROUP_RANK": "0"}
    processes = [
        subprocess.Popen(
            [sys.executable, "two.py"],
            cwd=folder,
            env={**os.environ, **world, **elastic, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    return ["".join(process.communicate(timeout=1500)) for process in processes]


@pytest.fixture(scope="module")
def pair(tmp_path_factory, request):
    """The results of both ranks for each of RUNS, and the folder of the runs."""
    folder = tmp_path_factory.mktemp("pair")
    experiment = str(request.config.rootpath / "experiments/gan.yaml")
    more = ["trainer.devices=2", "checkpoint.keep=1"]
    runs = [[experiment, *TINY, *more, f"run_dir=run{i}", *run] for i, run in enumerate(RUNS.values())]
    for rank in (0, 1):  # each process has a copy, as on the disks of two nodes
        draw_photographs(folder / f"folder{rank}", 12)
        draw_photographs(folder / f"more{rank}", 8)
        draw_photographs(folder / f"other{rank}", 12 + rank)
    outputs = start_pair(folder, runs)
    ranks = [json.loads((folder / f"results{rank}.json").read_text()) for rank in (0, 1)]
    assert [len(rank) for rank in ranks] == [len(runs)] * 2, outputs
    return {name: (first, second) for name, first, second in zip(RUNS, *ranks, strict=True)}, folder, outputs


def draw_photographs(folder, n):
    """Color noise; every fourth picture is gray."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for i in range(n):
        pixels = generator.integers(0, 255, (36, 36, 3), dtype=np.uint8)
        Image.fromarray(pixels if i % 4 else pixels[..., 0]).save(folder / f"{i:02}.png")


TRAINED = [name for name in RUNS if name not in ("other folders", "stopped")]


@pytest.mark.parametrize("name", TRAINED)
def test_two_ranks_end_with_the_same_state(pair, name):
    first, second = pair[0][name]
    assert first["code"] == second["code"] == 0
    assert first["digest"] == second["digest"]


@pytest.mark.parametrize("name", TRAINED)
def test_each_gradient_is_reduced_once_a_step(pair, name):
    (first, _) = pair[0][name]
    steps = {"generator": 2 if name == "steps of the generator" else 1}
    resting = first["sizes"]["discriminator"] if name == "color first" else 0  # in the first of two batches
    expected = first["batches"] * sum(steps.get(net, 1) * n for net, n in first["sizes"].items()) - resting
    assert first["reduced"] == expected


def test_one_rank_reads_the_pictures_of_the_initialization(pair):
    first, second = pair[0]["prior"]
    assert "initialized" in first and "initialized" not in second


def test_the_report_counts_the_pictures_of_all_ranks(pair):
    assert "data: 3 near-gray pictures left out of training" in pair[2][0]


def test_pictures_are_those_of_all_ranks(pair):
    with (pair[1] / "run0/metrics.csv").open() as file:  # two batches of four an epoch, and resumed for the second
        assert [int(row["pictures"]) for row in csv.DictReader(file)] == [16, 32]


def test_no_rank_warns(pair):
    assert not [
        line for output in pair[2] for line in output.splitlines() if "recommended" in line or "deprecat" in line
    ]


def test_ranks_with_other_photographs_do_not_start(pair):
    assert [rank["code"] for rank in pair[0]["other folders"]] == [2, 2]
    assert "data.root=other1: the processes do not find the same photographs" in pair[2][1]


def test_a_resumed_pair_ends_as_one_that_never_stopped(pair):
    assert pair[0]["resumed"][0]["digest"] == pair[0]["two epochs"][0]["digest"]


def test_a_signal_to_one_rank_stops_both_in_the_middle_of_an_epoch(pair):
    assert [rank["code"] for rank in pair[0]["stopped"]] == [143, 143]
    assert pair[0]["resumed in an epoch"][0]["digest"] == pair[0]["whole"][0]["digest"]


def test_one_rank_writes(pair):
    run = pair[1] / f"run{list(RUNS).index('two epochs')}"
    left = sorted(path.name for path in run.glob("*.ckpt"))
    assert left == ["best.ckpt", "epoch=000.ckpt", "epoch=001.ckpt", "last.ckpt"]  # the guard may go back to both


APART = """
    for p in self.model.net.parameters():
        p.data.add_(1e-6 * rank)
"""


def test_ranks_that_come_apart_stop_in_one_line(tmp_path, request):
    experiment = str(request.config.rootpath / "experiments/gan.yaml")
    run = [experiment, *TINY, "system=supervised", "trainer.devices=2", "trainer.compare_ranks=1", "run_dir=run"]
    script = SCRIPT.replace('    seen["batches"] += 1\n', APART)
    assert script != SCRIPT
    errors = start_pair(tmp_path, [run], script)
    assert [json.loads((tmp_path / f"results{rank}.json").read_text())[0]["code"] for rank in (0, 1)] == [2, 2]
    assert "epoch 0, batch 1: the processes have come apart, first in model.net." in errors[0]
    assert "Traceback" not in errors[0]
