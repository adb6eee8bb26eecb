"""Compare the time of a training step of two checkouts of colorgan, in pairs of runs that alternate.

    python benchmarks/steps.py OLD NEW [--pairs 5] [--batches 20] [--threads 2] experiment=gan [key=value ...]

OLD and NEW are checkouts. Prints for each pair the milliseconds of a step and those of
the CPU time of the training process, and then the medians of their ratios.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

WARM_UP = 3  # batches
STEPS = """
import json, sys, time
import pytorch_lightning as pl
import torch
from colorgan import train

warm_up, threads = int(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(threads)
ends = []

class Clock(pl.Callback):
    def on_train_batch_start(self, *args):
        ends.append((time.perf_counter(), time.process_time()))

make = pl.Trainer.__init__

def with_clock(self, *args, callbacks, **kwargs):
    make(self, *args, callbacks=[*callbacks, Clock()], **kwargs)

pl.Trainer.__init__ = with_clock
code = train.main(sys.argv[3:])
ends = ends[warm_up:]
steps = [(last - first) / (len(ends) - 1) for first, last in zip(ends[0], ends[-1])]
print(json.dumps(steps) if code == 0 else "failed")
"""


def measure(checkout: Path, threads: int, arguments: list[str]) -> tuple[float, float]:
    """Return the seconds of a step and its CPU seconds.

    Raises:
        SystemExit: the training failed.
    """
    command = [sys.executable, "-c", STEPS, str(WARM_UP), str(threads), *arguments]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*command, f"run_dir={folder}/run"], cwd=checkout, capture_output=True, text=True, check=False
        )
    lines = done.stdout.splitlines()
    if done.returncode or not lines or lines[-1] == "failed":
        raise SystemExit(f"{checkout}: the training failed: {done.stderr[-500:]}")
    return tuple(json.loads(lines[-1]))


def main() -> None:
    """Print a table of the pairs and the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("settings", nargs="+", help="experiment=NAME, and key=value for both")
    args = parser.parse_intermixed_args()
    name = args.settings[0].removeprefix("experiment=")
    fixed = ["trainer.max_epochs=1", "trainer.limit_val_batches=1", "trainer.accelerator=cpu", "wandb.mode=disabled"]
    batches = f"trainer.limit_train_batches={args.batches + WARM_UP}"
    arguments = [f"experiments/{name}.yaml", *fixed, batches, *args.settings[1:]]
    pairs = []
    for i in range(args.pairs):
        order = (args.old, args.new) if i % 2 == 0 else (args.new, args.old)
        times = {checkout: measure(checkout, args.threads, arguments) for checkout in order}
        pairs.append((*times[args.old], *times[args.new]))
        print(
            "old {:.1f} ms (CPU {:.1f}), new {:.1f} ms (CPU {:.1f})".format(*(1000 * t for t in pairs[-1])), flush=True
        )
    wall = statistics.median(new / old for old, _, new, _ in pairs)
    cpu = statistics.median(new / old for _, old, _, new in pairs)
    print(f"{name}: new/old {wall:.3f} by the clock, {cpu:.3f} of CPU time; {args.pairs} pairs, nproc {os.cpu_count()}")


if __name__ == "__main__":
    main()
