"""Kill a training by SIGKILL again and again, resume it each time, and compare it with one that was never killed.

    python benchmarks/killing.py --out OUT --kills 20 --workers 2

Kills fall at random moments: anywhere between the first step and the last, and, every second one, while a checkpoint is
being written. Weights, averages, optimizers and metrics.csv (but its speed) must be equal to the last bit, and no
checkpoint that was there before a kill may be damaged after it.
"""

import argparse
import csv
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import torch

from colorgan.colorizer import checkpoint
from colorgan.training.run_directory import checkpoints_of

SETTINGS = (
    *("net.width=16", "discriminator.width=16", "data.size=32", "data.batch_size=4", "trainer.limit_val_batches=2"),
    *("trainer.accelerator=cpu", "trainer.precision=32-true", "wandb.mode=disabled", "checkpoint.every_batches=1"),
)
PATIENCE = 600  # seconds without an end of a run


def train(run_dir: Path, settings: list[str], processes: int) -> subprocess.Popen:
    """Start or resume a training in a new process group."""
    command = [sys.executable, "-m"]
    if processes > 1:
        command += ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
        settings = [*settings, f"trainer.devices={processes}"]
    command += ["colorgan.train", "experiments/gan.yaml", "--resume", *SETTINGS, *settings, f"run_dir={run_dir}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (run_dir.parent / f"{run_dir.name}.log").open("a") as output:
        return subprocess.Popen(command, env=environment, stdout=output, stderr=output)


def kill(process: subprocess.Popen, run_dir: Path, delay: float, while_writing: bool) -> bool:
    """Kill a training and its workers; return False if it ended before.

    Args:
        process: the training.
        run_dir: its run directory.
        delay: seconds from the first checkpoint that it writes.
        while_writing: wait for the next checkpoint to be under way after the delay.
    """
    seen, end = checkpoints_of(run_dir), time.monotonic() + PATIENCE
    while process.poll() is None and checkpoints_of(run_dir) == seen and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(delay)
    while while_writing and process.poll() is None and not list(run_dir.glob(".*.part")) and time.monotonic() < end:
        pass
    if process.poll() is not None:
        return False
    while found := processes_of(run_dir):
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    process.wait()
    return True


def processes_of(run_dir: Path) -> list[int]:
    """Return the processes of a training by their arguments: torchrun gives each a session of its own."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if f"run_dir={run_dir}" in file.read_text(errors="replace").split("\0"):
                found.append(int(file.parent.name))
    return found


def compare(one: Path, other: Path) -> list[str]:
    """Return the names of what differs between the ends of two runs."""
    contents = [checkpoint.read(run / "last.ckpt") for run in (one, other)]
    different = []
    for key in ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch"):
        try:
            torch.testing.assert_close(contents[0][key], contents[1][key], rtol=0, atol=0)
        except AssertionError as error:
            different.append(f"{key}: {str(error).splitlines()[-1]}")
    return different + ([] if history_of(one) == history_of(other) else ["metrics.csv"])


def history_of(run: Path) -> list[dict[str, str]]:
    """Return the rows of metrics.csv without the speed."""
    with (run / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if "per_second" not in k} for row in csv.DictReader(file)]


def main(argv: list[str] | None = None) -> int:
    """Print what was killed and what differs; return 1 if anything does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="a new folder for the runs")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batches", type=int, default=40, help="of an epoch")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True)
    settings = [f"data.workers={args.workers}", f"trainer.max_epochs={args.epochs}"]
    settings += [f"trainer.limit_train_batches={args.batches}"]
    whole, killed = args.out / "whole", args.out / "killed"
    if train(whole, settings, args.processes).wait():
        raise SystemExit(f"the unbroken run failed: see {whole}.log")
    chance, kills, writing, lost = random.Random(args.seed), 0, 0, []
    while kills < args.kills:
        process, while_writing = train(killed, settings, args.processes), kills % 2 == 1
        if not kill(process, killed, chance.uniform(0, 0.5), while_writing):
            break
        kills, writing = kills + 1, writing + bool(list(killed.glob(".*.part")))
        lost += [str(path) for path in checkpoints_of(killed) if not checkpoint.is_whole(path)]
    if process.poll() is None or kills == args.kills:
        process = train(killed, settings, args.processes)
    if process.wait():
        raise SystemExit(f"the killed run failed: see {killed}.log")
    different = compare(whole, killed)
    print(
        f"nproc {os.cpu_count()}; {args.processes} processes, {args.workers} workers, {kills} kills, {writing} of them"
    )
    print(f"while a checkpoint was written; damaged checkpoints: {lost or 'none'}; differences: {different or 'none'}")
    return 1 if lost or different else 0


if __name__ == "__main__":
    sys.exit(main())
