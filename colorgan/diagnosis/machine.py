"""The facts about a machine that matter for training."""

import json
import os
import platform
import resource
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from colorgan.cli import usable_cores
from colorgan.diagnosis.anonymous import anonymize
from colorgan.diagnosis.processes import run_python
from colorgan.facts import cpu_model
from colorgan.memory import cgroup_values, memory_limits
from colorgan.packaged import released

PROBE_TIMEOUT = 120  # s; importing PyTorch takes a minute on a slow network drive
SHARED_MEMORY = Path("/dev/shm")
PACKAGES = ("torch", "torchvision", "pytorch-lightning", "lightning", "kornia", "timm", "wandb", "numpy", "omegaconf")


@dataclass(frozen=True)
class Gpu:
    """A GPU that PyTorch can use.

    Args:
        name: of the model.
        memory: in bytes.
        memory_free: bytes that no process uses.
        tf32: whether it computes in TF32.
    """

    name: str
    memory: int
    memory_free: int
    tf32: bool


@dataclass(frozen=True)
class Machine:
    """Facts about a machine; all sizes are in bytes.

    Args:
        python: version of Python.
        system: name and version of the operating system, and the architecture.
        packages: installed packages, of `PACKAGES` -> their versions.
        cpu: model of the CPU.
        cores: number of cores of the machine.
        usable_cores: number of cores that this process may use.
        load: mean number of processes that wanted a core of the machine in the last minute.
        core_quota: cores' worth of time that a container may use; None if there is no such limit.
        memory: memory that this process may use.
        memory_free: memory that is free.
        driver: version of NVIDIA's driver, by nvidia-smi; None if that is missing or fails.
        nvidia_cards: number of NVIDIA GPUs on the PCI bus, with or without a driver.
        visible_devices: value of CUDA_VISIBLE_DEVICES; None if it is not set.
        shared_memory_free: free in /dev/shm; None if there is none.
        run_folder: where runs go.
        run_folder_writable: whether runs can be written there.
        disk_free: free where runs go.
        temporary_free: free in the folder of temporary files, where every checkpoint is written first.
        open_files: number of files that a process may have open.
        released: whether the released generator is there.
        wandb_mode: value of WANDB_MODE; None if it is not set.
        error: why PyTorch could not be asked for the facts below, in one line; None if it could.
        torch: full version of PyTorch.
        build: what PyTorch was built for besides the CPU, as in "CUDA 13.0"; None for the CPU alone.
        gpus: GPUs that PyTorch can use.
        cuda_warning: what PyTorch says about CUDA if it finds no GPU.
        mps: whether PyTorch can use the GPU of a Mac.
        nccl: version of NCCL, by which GPUs exchange gradients; None if PyTorch has none.
        threads: number of threads that PyTorch computes with on the CPU.
        instructions: vector and matrix instructions of the CPU.
        fast_bfloat16: whether `accelerator` is faster in bfloat16 than in float32.
        accelerator: meaning of `trainer.accelerator=auto`.
        processes: meaning of `trainer.devices=auto`.
        precision: meaning of `trainer.precision=auto`.
        wandb_login: whether W&B knows an API key, so that `wandb.mode=auto` is online.
        weights: networks that experiments and metrics download -> whether they are here already.
    """

    python: str
    system: str
    packages: dict[str, str]
    cpu: str
    cores: int
    usable_cores: int
    load: float
    core_quota: float | None
    memory: int
    memory_free: int
    driver: str | None
    nvidia_cards: int
    visible_devices: str | None
    shared_memory_free: int | None
    run_folder: str
    run_folder_writable: bool
    disk_free: int
    temporary_free: int
    open_files: int
    released: bool
    wandb_mode: str | None
    error: str | None = None
    torch: str | None = None
    build: str | None = None
    gpus: list[Gpu] = field(default_factory=list)
    cuda_warning: str | None = None
    mps: bool = False
    nccl: str | None = None
    threads: int = 1
    instructions: list[str] = field(default_factory=list)
    fast_bfloat16: bool = False
    accelerator: str = "cpu"
    processes: int = 1
    precision: str = "32-true"
    wandb_login: bool = False
    weights: dict[str, bool] = field(default_factory=dict)


def inspect_machine(run_folder: Path) -> Machine:
    """Return the facts about this machine.

    Args:
        run_folder: where runs are going to be written; it need not exist yet.
    """
    existing = next(path for path in (run_folder.absolute(), *run_folder.absolute().parents) if path.is_dir())
    total, free = memory_limits()
    return Machine(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}, {platform.machine()}",
        packages=_versions(),
        cpu=cpu_model(),
        cores=os.cpu_count() or 1,
        usable_cores=usable_cores(),
        load=os.getloadavg()[0],
        core_quota=_core_quota(),
        memory=total,
        memory_free=free,
        driver=_driver_version(),
        nvidia_cards=_count_nvidia_cards(),
        visible_devices=os.environ.get("CUDA_VISIBLE_DEVICES"),
        shared_memory_free=shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else None,
        run_folder=anonymize(str(run_folder)),
        run_folder_writable=os.access(existing, os.W_OK),
        disk_free=shutil.disk_usage(existing).free,
        temporary_free=shutil.disk_usage(tempfile.gettempdir()).free,
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        released=released().is_file(),
        wandb_mode=os.environ.get("WANDB_MODE"),
        **_probe(),
    )


def _probe() -> dict[str, Any]:
    """Return what the process of `colorgan.diagnosis.probe` finds, or its error."""
    result = run_python(["-m", "colorgan.diagnosis.probe"], PROBE_TIMEOUT)
    if result.error:
        return {"error": result.error}
    facts = json.loads(result.output.splitlines()[-1])
    return {**facts, "gpus": [Gpu(**gpu) for gpu in facts["gpus"]]}


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _core_quota() -> float | None:
    quotas = [text.split() for text in cgroup_values("cpu.max") if not text.startswith("max")]
    return min((int(quota) / int(period) for quota, period in quotas), default=None)


def _driver_version() -> str | None:
    with suppress(OSError, subprocess.SubprocessError):
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        done = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True)
        return next(iter(done.stdout.splitlines()), None)
    return None


def _count_nvidia_cards() -> int:
    """Count NVIDIA's devices of the class of displays (0x03) on the PCI bus."""
    count = 0
    for device in Path("/sys/bus/pci/devices").glob("*"):
        with suppress(OSError):
            vendor, kind = ((device / file).read_text().strip() for file in ("vendor", "class"))
            count += vendor == "0x10de" and kind.startswith("0x03")
    return count
