"""`data.batch_size=auto`: the largest power of two that fits in memory, by short trainings in a process of its own.

That process may run out of memory, or be killed for it, without harm to the run.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from omegaconf import DictConfig, OmegaConf

from colorgan import config
from colorgan.data.building import build_data
from colorgan.errors import UserError
from colorgan.memory import PeakMemory, is_out_of_memory, memory_limits
from colorgan.systems import TABLES
from colorgan.training.hardware import resolve_hardware
from colorgan.training.launching import environment_of_one, from_first_process
from colorgan.training.trainer import fit

AUTO = "auto"
FOUND = "COLORGAN_BATCH_SIZE"  # the variable that tells the processes that Lightning starts what was found
SMALLEST, LARGEST = 2, 1024  # batch statistics need two pictures
USABLE = 0.8  # share of a computer's free memory; of a GPU's, torch takes what there is
FIXED = (
    "trainer.max_epochs=1",
    "trainer.max_time=null",
    "trainer.limit_train_batches=2",
    "trainer.limit_val_batches=1",
)
FIXED += ("trainer.check_val_every_n_epoch=1", "trainer.num_nodes=1", "trainer.strategy=auto", "logger=none")


@contextmanager
def resolved_batch_size(experiment: DictConfig) -> Iterator[DictConfig]:
    """Give an experiment with a number as `data.batch_size`, the same in all processes of the run.

    Raises:
        UserError: not even the smallest batch can be trained.
    """
    if experiment.data.batch_size != AUTO:
        yield experiment
        return
    size = os.environ.get(FOUND) or from_first_process(lambda: _find(experiment))
    os.environ[FOUND] = str(size)
    try:
        yield _replace(experiment, f"data.batch_size={size}")
    finally:
        del os.environ[FOUND]


def require_batch_size(experiment: DictConfig) -> None:
    """Raise UserError for `data.batch_size=auto`, where work that is compared needs a number."""
    if experiment.data.batch_size == AUTO:
        raise UserError("data.batch_size=auto: colorgan.train tries out what fits; here, give a number")


def _find(experiment: DictConfig) -> int:
    """Return the batch size, and print it with the memory that it took."""
    print("data.batch_size=auto: trying out what fits in memory", flush=True)
    done = _search(experiment)
    tried = [json.loads(line) for line in done.stdout.splitlines()]
    fitting = [trial for trial in tried if "peak" in trial]
    if errors := [trial["error"] for trial in tried if "error" in trial]:
        raise UserError(f"data.batch_size=auto: {errors[0]}")
    if done.returncode > 0:
        raise UserError(f"data.batch_size=auto: {done.stderr.strip().splitlines()[-1]}")
    if not fitting:
        raise UserError(
            f"data.batch_size=auto: not even {SMALLEST} pictures fit in memory: lower data.size={experiment.data.size}"
        )
    best = fitting[-1]
    size, peak = best["batch_size"], best["peak"] / 1e9
    print(f"data.batch_size=auto: {size}, with {peak:.1f} GB of memory at the peak", flush=True)
    return size


def _search(experiment: DictConfig) -> subprocess.CompletedProcess[str]:
    """Run this module in a process of its own, which prints what `try_sizes` yields."""
    command = [sys.executable, "-m", "colorgan.training.batch_size"]
    text = json.dumps(config.plain(experiment))
    return subprocess.run(command, input=text, capture_output=True, text=True, env=environment_of_one(), check=False)


def try_sizes(experiment: DictConfig) -> Iterator[dict[str, Any]]:
    """Train two batches of each power of two, until one does not fit.

    Yields:
        {"batch_size", "peak"} in bytes of what fits, and {"error"} where something else goes wrong.
    """
    device = resolve_hardware(experiment.trainer).accelerator
    memory = PeakMemory(device)
    allowed = memory.loaded + USABLE * memory_limits()[1]
    largest = min(LARGEST, build_data(_replace(experiment, f"data.batch_size={SMALLEST}")).train_count)
    peaks: list[int] = []
    size = SMALLEST
    while size <= largest and (device == "cuda" or len(peaks) < 2 or _predict(peaks) <= allowed):
        memory.reset()
        try:
            _train(experiment, size)
        except (UserError, RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                yield {"error": str(error)}
            return
        peaks.append(memory.peak())
        yield {"batch_size": size, "peak": peaks[-1]}
        size *= 2


def _predict(peaks: list[int]) -> int:
    """Return the peak of a batch of twice the last size, where memory grows in proportion to it."""
    return peaks[-1] + 2 * max(0, peaks[-1] - peaks[-2])


def _train(experiment: DictConfig, size: int) -> None:
    devices = experiment.trainer.devices
    first = list(devices)[:1] if OmegaConf.is_list(devices) else 1
    with tempfile.TemporaryDirectory(prefix="colorgan-trial-") as folder, redirect_stdout(io.StringIO()):
        more = (f"data.batch_size={size}", f"trainer.devices={first}", f"run_dir={folder}")
        fit(_replace(experiment, *FIXED, *more))


def _replace(experiment: DictConfig, *overrides: str) -> DictConfig:
    return config.resolve(config.plain(experiment), overrides, TABLES, origin="data.batch_size=auto")


if __name__ == "__main__":
    given = config.resolve(json.load(sys.stdin), [], TABLES, origin="stdin")
    try:
        for trial in try_sizes(given):
            print(json.dumps(trial), flush=True)
    except UserError as failure:  # of the data, before anything is tried
        print(json.dumps({"error": str(failure)}), flush=True)
