"""The speed of training: a run of an experiment whose batches are timed, first from its data and then without."""

import io
import tempfile
from contextlib import redirect_stdout
from typing import Any

import torch
from omegaconf import DictConfig, read_write

from colorgan import config
from colorgan.benching.peak import measure_peaks
from colorgan.benching.report import CPU_TIME, MEGABYTE, Figure, Result
from colorgan.benching.steps import StepRecorder, Window, make_schedule
from colorgan.errors import UserError
from colorgan.systems import TABLES
from colorgan.training.batch_size import require_batch_size
from colorgan.training.hardware import is_fast_in_bfloat16, resolve_hardware
from colorgan.training.signals import Stopped
from colorgan.training.trainer import fit

DEFAULTS = ("logger=none", "checkpoint.keep=1", "checkpoint.every_minutes=0")
FIXED = {  # one epoch of as many batches as are measured, and the shortest validation that a run can have
    "run_dir": None,
    "trainer.max_epochs": "1",
    "trainer.max_time": "null",
    "trainer.limit_train_batches": "1.0",
    "trainer.limit_val_batches": "1",
    "trainer.check_val_every_n_epoch": "1",
}
NOT_TOLD = ("run_dir", "paper", "deviations")  # keys of an experiment that do not tell what was run


def load_experiment(path: str, overrides: list[str]) -> DictConfig:
    """Return the resolved experiment of a benchmark.

    Raises:
        UserError: the experiment cannot be used, or a setting is one that a benchmark makes itself.
    """
    for item in overrides:
        if item.partition("=")[0] in FIXED:
            raise UserError(f"{item}: the benchmark sets this itself; leave it out")
    fixed = [f"{key}={value}" for key, value in FIXED.items() if value]
    experiment = config.load(path, [*DEFAULTS, *overrides, *fixed], TABLES)
    require_batch_size(experiment)
    return experiment


def settings_of(experiment: DictConfig, repeats: int, batches: int, warm_up: int) -> dict[str, Any]:
    """Return what a result records of a benchmark of training."""
    told = {key: value for key, value in config.plain(experiment).items() if key not in NOT_TOLD}
    return {"experiment": told, "repeats": repeats, "batches": batches, "warm_up": warm_up}


def measure_training(experiment: DictConfig, repeats: int, batches: int, warm_up: int) -> Result:
    """Measure the training of an experiment, in a run whose files are deleted.

    Args:
        experiment: from `load_experiment`.
        repeats: number of windows whose median counts.
        batches: number of batches in a window.
        warm_up: number of batches before the first.

    Raises:
        UserError: the experiment cannot run on this machine.
    """
    settings = settings_of(experiment, repeats, batches, warm_up)
    steps = StepRecorder(make_schedule(repeats, batches, warm_up), counts_flops=not experiment.trainer.compile)
    printed = io.StringIO()
    with tempfile.TemporaryDirectory(prefix="colorgan-bench-") as folder, redirect_stdout(printed):
        with read_write(experiment):
            experiment.run_dir = folder
        try:
            fit(experiment, callbacks=[steps])
        except Stopped:  # what was saved is deleted
            raise KeyboardInterrupt from None
    totals = steps.recorder.totals()
    pictures, world = experiment.data.batch_size * batches, steps.world_size
    figures = {}
    for name, is_held in (("pictures/s", False), ("pictures/s, data left out", True)):
        seconds = [sum(totals[Window(is_held, i)].values()) for i in range(repeats)]
        figures[name] = Figure("pictures/s", [world * pictures / s for s in seconds], "larger")
    for phase in totals[Window(False, 0)]:
        values = [1000 * totals[Window(False, i)].get(phase, 0.0) / pictures for i in range(repeats)]
        figures[phase] = Figure("ms/picture", values)
    cpu = [seconds for window, seconds in steps.cpu_seconds.items() if not window.is_held]
    figures[CPU_TIME] = Figure("ms/picture", [1000 * seconds / pictures for seconds in cpu])
    peaks = [peak / MEGABYTE for window, peak in steps.peaks.items() if not window.is_held]
    figures["peak memory"] = Figure("MB", peaks, "smaller")
    figures["above the loaded process"] = Figure("MB", [peak - steps.loaded / MEGABYTE for peak in peaks])
    flops = {name: value / experiment.data.batch_size for name, value in steps.flops.items()}
    hardware = resolve_hardware(experiment.trainer)
    device = steps.device.type
    dtypes = [torch.float32] + [torch.bfloat16] * is_fast_in_bfloat16(device)
    machine = measure_peaks(device, dtypes)
    share = None
    if flops:
        speed = figures["pictures/s, data left out"].median / world * flops["step"]
        dtype = "bfloat16" if hardware.precision == "bf16-mixed" else "float32"
        share = speed / max(value for name, value in machine.items() if name.endswith(dtype))
    notes = [line for line in printed.getvalue().splitlines() if line.startswith("data: ")]
    return Result("train", device, settings, figures, flops, machine, share, notes)
