"""Check the model of docs/scaling.md: a training step of one process, and of two that exchange their gradients by gloo.

    python benchmarks/scaling.py gan [--batches 20] [key=value ...]

Each process has one core and one thread. A step of two processes is predicted as that of one, and the gradients' bytes
at the bandwidth of an all-reduce that is measured by itself. Printed are medians by the clock, and means of CPU time,
for a busy machine: on a CPU the exchange is work of the same cores, so that CPU time follows the same sum.
"""

import argparse
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import torch.distributed as dist
from pytorch_lightning.callbacks import Callback

from colorgan import config
from colorgan.systems import TABLES
from colorgan.systems.base import System
from colorgan.training.trainer import fit

WARM_UP = 4  # batches
BUCKET = 25 * 2**20  # bytes that DistributedDataParallel exchanges at a time
ROUNDS = 10  # of the all-reduce
FIXED = ("trainer.accelerator=cpu", "trainer.max_epochs=1", "trainer.limit_val_batches=1", "wandb.mode=disabled")


class Clock(Callback):
    """Times the steps by the clock and by CPU time, and then the exchange of as many bytes as the gradients have."""

    def __init__(self):
        self.stamps: list[tuple[float, float]] = []
        self.found: dict[str, Any] = {}

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: System, batch: Any, batch_idx: int) -> None:
        if batch_idx >= WARM_UP:
            self.stamps.append((time.perf_counter(), time.process_time()))

    def on_train_end(self, trainer: pl.Trainer, pl_module: System) -> None:
        parameters = [p for net, _ in pl_module.networks().values() for p in net.parameters() if p.requires_grad]
        size = sum(4 * p.numel() for p in parameters)
        self.found = {"bytes": size, "step": medians(self.stamps), "exchange": (0.0, 0.0)}
        if trainer.world_size > 1:
            buckets = [torch.ones(n // 4) for n in [BUCKET] * (size // BUCKET) + [size % BUCKET]]
            stamps = []
            for _ in range(ROUNDS + 1):
                dist.barrier()
                stamps.append((time.perf_counter(), time.process_time()))
                for bucket in buckets:
                    dist.all_reduce(bucket)
            self.found["exchange"] = medians(stamps)


def medians(stamps: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the median of the time between two stamps by the clock, and the mean of the CPU time."""
    walls = [after[0] - before[0] for before, after in itertools.pairwise(stamps)]
    return statistics.median(walls), (stamps[-1][1] - stamps[0][1]) / len(walls)


def run_rank(settings: list[str], result: Path) -> None:
    """Train as one of the processes, and write what it measured."""
    rank = int(os.environ.get("LOCAL_RANK", 0))
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[rank]})
    torch.set_num_threads(1)
    clock = Clock()
    fit(config.load(settings[0], settings[1:], TABLES), callbacks=[clock])
    result.write_text(json.dumps(clock.found))


def measure(processes: int, settings: list[str]) -> dict[str, Any]:
    """Return what the first of several processes measured."""
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("localhost", 0))
        world = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(free.getsockname()[1]), "GROUP_RANK": "0"}
        world |= {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes), "TORCHELASTIC_RUN_ID": "scaling"}
        free.close()
        running = []
        for rank in range(processes):
            own = {**world, "RANK": str(rank), "LOCAL_RANK": str(rank)} if processes > 1 else {}
            files = ["--result", f"{folder}/{rank}.json"]
            command = [sys.executable, __file__, *settings, f"trainer.devices={processes}", f"run_dir={folder}", *files]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
            running.append(subprocess.Popen(command, env={**os.environ, **own}, **quiet))
        errors = [process.communicate()[1] for process in running]
        if any(process.returncode for process in running):
            raise SystemExit("\n".join(error[-1000:] for error in errors))
        return json.loads((Path(folder) / "0.json").read_text())


def main() -> None:
    """Measure one and two processes, and print both beside the prediction."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)  # of one of the processes
    args = parser.parse_intermixed_args()
    if args.result:
        run_rank([args.experiment, *args.overrides], args.result)
        return
    limit = f"trainer.limit_train_batches={args.batches + WARM_UP + 1}"
    settings = [args.experiment, *FIXED, limit, *args.overrides]
    one, two = measure(1, settings), measure(2, settings)
    print(f"{one['bytes'] / 1e6:.0f} MB of gradients, nproc {os.cpu_count()}, load {os.getloadavg()[0]:.1f}")
    for i, kind in enumerate(("clock", "CPU time")):
        alone, exchange, both = (1000 * seconds[i] for seconds in (one["step"], two["exchange"], two["step"]))
        sent = f"the exchange alone {exchange:.0f} ms ({one['bytes'] / exchange / 1e6:.2f} GB/s)"
        ratio = f"{both / (alone + exchange):.2f} of the prediction of {alone + exchange:.0f} ms"
        print(f"{kind}: one process {alone:.0f} ms a step, {sent}, two {both:.0f} ms, {ratio}")


if __name__ == "__main__":
    main()
