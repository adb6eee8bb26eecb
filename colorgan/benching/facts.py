"""What a figure of speed depends on: the hardware, the versions of the software, and the commit."""

import platform
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import torch

import colorgan
from colorgan.cli import usable_cores
from colorgan.diagnosis.machine import cpu_model, memory_limits
from colorgan.packaged import PACKAGE

PACKAGES = ("torchvision", "pytorch-lightning", "pillow")


def describe_hardware(device: str) -> dict[str, Any]:
    """Return the hardware that a process computes on.

    Args:
        device: type of the device.
    """
    count = torch.cuda.device_count() if device == "cuda" else 0
    return {
        "device": device,
        "cpu": cpu_model(),
        "cores": torch.multiprocessing.cpu_count(),
        "usable_cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "memory": memory_limits()[0],  # bytes
        "gpus": [torch.cuda.get_device_name(i) for i in range(count)],
    }


def describe_software() -> dict[str, Any]:
    """Return the versions, the commit (None from a wheel), and whether files differ from it."""
    versions = {"python": platform.python_version(), "colorgan": colorgan.__version__, "torch": torch.__version__}
    commit = _git("rev-parse", "HEAD")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "dirty": bool(_git("status", "--porcelain")) if commit else None,
        "versions": versions | {package: version(package) for package in PACKAGES},
    }


def _git(*arguments: str) -> str | None:
    """Return what git says of the clone that this package lies in; None from a wheel."""
    if not (PACKAGE.parent / ".git").exists():
        return None
    with suppress(OSError, subprocess.CalledProcessError):
        done = subprocess.run(
            ["git", *arguments], cwd=PACKAGE.parent, capture_output=True, text=True, timeout=30, check=True
        )
        return done.stdout.strip()
    return None
