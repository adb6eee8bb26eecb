"""What a result depends on besides its settings: the hardware, the versions of the software, and the commit.

torch is imported inside functions only: the doctor looks at machines on which that fails.
"""

import hashlib
import platform
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from colorgan.cli import usable_cores
from colorgan.memory import memory_limits
from colorgan.packaged import PACKAGE

PACKAGES = ("colorgan", "torchvision", "pytorch-lightning", "kornia", "numpy", "pillow", "timm")


def describe_hardware(device: str) -> dict[str, Any]:
    """Return the hardware that a process computes on.

    Args:
        device: type of the device.
    """
    import torch

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
    """Return the date, the versions, the commit (None from a wheel), and a hash of what differs from it (None: clean).

    The hash is that of the names and contents of the files of this package that are not as in the commit.
    """
    import torch

    versions = {"python": platform.python_version(), "torch": torch.__version__}
    commit = _git("rev-parse", "HEAD")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "changes": _hash_changes() if commit else None,
        "versions": versions | {package: version_of(package) for package in PACKAGES},
    }


def cpu_model() -> str:
    """Return the model of the CPU."""
    with suppress(OSError):  # there is no such file outside Linux
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return the dotted key, old and new value of each difference between nested dicts.

    Keys that only one of them has are no difference: versions of colorgan record other things.
    """
    before, now = _flatten(old), _flatten(new)
    return [(key, before[key], now[key]) for key in now if key in before and before[key] != now[key]]


def _flatten(value: dict[str, Any], path: str = "") -> dict[str, Any]:
    found = {}
    for key, child in value.items():
        found |= _flatten(child, f"{path}{key}.") if isinstance(child, dict) else {f"{path}{key}": child}
    return found


def version_of(package: str) -> str | None:
    """Return the version of an installed package; None: it is not installed."""
    with suppress(PackageNotFoundError):
        return version(package)
    return None


def _hash_changes() -> str | None:
    """Return a hash of the files of this package that differ from the commit, new ones included; None: no file does."""
    changed = _git("diff", "--name-only", "--no-renames", "-z", "HEAD", "--", PACKAGE.name) or ""
    new = _git("ls-files", "--others", "--exclude-standard", "-z", "--", PACKAGE.name) or ""
    digest = hashlib.blake2b(digest_size=6)
    names = sorted({name for listed in (changed, new) for name in listed.split("\0") if name})
    for name in names:
        file = PACKAGE.parent / name
        digest.update(f"{name}\0".encode("utf-8", "surrogateescape"))
        digest.update(hashlib.blake2b(file.read_bytes()).digest() if file.is_file() else b"deleted")
    return digest.hexdigest() if names else None


def _git(*arguments: str) -> str | None:
    """Return what git says of the clone that this package lies in; None from a wheel."""
    if not (PACKAGE.parent / ".git").exists():
        return None
    command = ["git", *arguments]
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, timeout=30, check=True)
        return done.stdout.decode("utf-8", "surrogateescape").strip()
    return None
