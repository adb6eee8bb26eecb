"""The memory that a process may use and does use, and how libraries say that there is not enough.

It imports torch only where a device is asked, for the doctor looks at machines on which that fails.
"""

import os
import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

STATUS = Path("/proc/self/status")  # of Linux
RESET_PEAK = Path("/proc/self/clear_refs"), "5"  # what to write where, for Linux to forget the peak of resident memory
CGROUP = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
# What torch (CUDA and others), its CPU allocator, C++ and fork say.
NOT_ENOUGH = re.compile(r"out of memory|(can't|cannot) allocate memory|not enough memory|bad_alloc|ALLOC_FAILED", re.I)


def is_out_of_memory(error: BaseException | None) -> bool:
    """Return whether an exception, or its cause, says that there is not enough memory."""
    if error is None:
        return False
    said = isinstance(error, RuntimeError | OSError) and bool(NOT_ENOUGH.search(str(error)))
    return said or isinstance(error, MemoryError) or is_out_of_memory(error.__cause__)


def memory_limits() -> tuple[int, int]:
    """Return the memory that this process may use, and how much of it is free, in bytes.

    That is the least of what the machine has, its control groups allow, and RLIMIT_AS allows.
    """
    total = free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable"):
                free = 1024 * int(line.split()[1])
    limits = [(total, free), *_group_limits()]
    addresses = resource.getrlimit(resource.RLIMIT_AS)[0]
    if addresses != resource.RLIM_INFINITY:
        limits.append((addresses, addresses - _status("VmSize")))
    return min(limit for limit, _ in limits), max(0, min(left for _, left in limits))


def cgroup_values(name: str) -> list[str]:
    """Return a setting of this process's control group and of those above it, by which containers limit resources."""
    return [found for folder in _cgroups("") if (found := _read(folder / name)) is not None]


class PeakMemory:
    """The largest memory in bytes, and that at the start: allocated on a CUDA device, else resident of this process.

    Args:
        device: type of the device.
    """

    def __init__(self, device: str):
        import torch

        self._cuda = torch.cuda if device == "cuda" else None
        self.loaded = self._cuda.memory_allocated() if self._cuda else _status("VmRSS")

    def reset(self) -> None:
        """Begin anew; outside Linux and CUDA the peak stays that of the whole process."""
        if self._cuda:
            self._cuda.reset_peak_memory_stats()
        else:
            with suppress(OSError):
                RESET_PEAK[0].write_text(RESET_PEAK[1])

    def peak(self) -> int:
        """Return the largest memory since `reset`."""
        return self._cuda.max_memory_allocated() if self._cuda else _status("VmHWM")


def _status(key: str) -> int:
    """Return a size of this process; outside Linux the peak of its resident memory, whatever the key."""
    with suppress(OSError):
        for line in STATUS.read_text().splitlines():
            if line.startswith(f"{key}:"):
                return 1024 * int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # macOS counts bytes, others kilobytes


def _group_limits() -> list[tuple[int, int]]:
    """Return the limit of each control group that has one, and what is left of it, in bytes."""
    versions = [("", "memory.max", "memory.current", "inactive_file")]
    versions += [("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")]
    found = []
    for controller, limit, usage, cached in versions:
        for folder in _cgroups(controller):
            allowed = _read(folder / limit)
            if allowed is None or allowed == "max":
                continue
            lines = (_read(folder / "memory.stat") or "").splitlines()
            freed = next((int(line.split()[1]) for line in lines if line.split()[0] == cached), 0)  # when needed
            found.append((int(allowed), int(allowed) - int(_read(folder / usage) or 0) + freed))
    return found


def _cgroups(controller: str) -> list[Path]:
    """Return the folder of this process's control group and those above it.

    Args:
        controller: of version 1, such as "memory"; "" for version 2.
    """
    lines = [line.split(":", 2) for line in (_read(OWN_GROUPS) or "").splitlines()]
    own = next((path for _, names, path in lines if controller in names.split(",")), None)
    if own is None:
        return []
    root = CGROUP / controller
    own = root / own.lstrip("/")
    return [folder for folder in (own, *own.parents) if folder == root or root in folder.parents]


def _read(path: Path) -> str | None:
    with suppress(OSError):
        return path.read_text().strip()
    return None
