"""How much memory there is, how much is used, and how libraries say that there is not enough."""

import resource
import subprocess
import sys

import pytest
import torch

from colorgan import memory
from colorgan.memory import PeakMemory, is_out_of_memory, memory_limits


def test_the_peak_of_memory_is_that_since_the_reset():
    used = PeakMemory("cpu")
    large = torch.ones(50_000_000)
    high = used.peak()
    assert high - used.loaded > 190e6
    del large
    used.reset()
    assert used.peak() < high - 150e6


def test_elsewhere_the_peak_is_that_of_the_process(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "STATUS", tmp_path / "none")
    monkeypatch.setattr(memory, "RESET_PEAK", (tmp_path / "none/none", "5"))
    used = PeakMemory("cpu")
    used.reset()
    assert used.peak() >= used.loaded > 10e6


LIMITED = """
import resource, torch
from colorgan.memory import is_out_of_memory, memory_limits
size = next(1024 * int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize"))
resource.setrlimit(resource.RLIMIT_AS, (size + 300_000_000, size + 300_000_000))
total, free = memory_limits()
assert total <= size + 300_000_000 and free <= 300_000_000, (total, size, free)
for allocate in (lambda: torch.ones(10**9), lambda: bytearray(10**9)):
    try:
        allocate()
    except Exception as error:
        assert is_out_of_memory(error), repr(error)
    else:
        raise AssertionError("that fits")
"""


def test_what_is_said_where_memory_really_runs_out():
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (MemoryError(), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError("out of memory"), False),
        (None, False),
    ],
)
def test_what_libraries_say(error, expected):
    assert is_out_of_memory(error) is expected


def test_a_cause_counts():
    error = ValueError("broken")
    error.__cause__ = MemoryError()
    assert is_out_of_memory(error)


def make_groups(folder, lines, files):
    """Write the files of control groups below a folder, and the lines of /proc/self/cgroup."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "own").write_text("\n".join(lines))


GROUPS = {
    "version 2": (
        ["0::/job/step"],
        {
            "job/memory.max": "3000\n",
            "job/memory.current": "1000\n",
            "job/memory.stat": "anon 1\ninactive_file 400\n",
            "job/step/memory.max": "max\n",
            "job/step/memory.current": "900\n",
        },
    ),
    "version 1": (
        ["4:memory,hugetlb:/job", "0::/"],
        {
            "memory/memory.limit_in_bytes": f"{2**63 - 4096}\n",
            "memory/memory.usage_in_bytes": "5000\n",
            "memory/job/memory.limit_in_bytes": "3000\n",
            "memory/job/memory.usage_in_bytes": "1000\n",
            "memory/job/memory.stat": "total_inactive_file 400\n",
        },
    ),
    "version 1, seen from within a container": (
        ["4:memory:/docker/0123"],
        {"memory/memory.limit_in_bytes": "3000\n", "memory/memory.usage_in_bytes": "600\n"},
    ),
}


@pytest.mark.parametrize("name", GROUPS)
def test_control_groups_limit_the_memory(tmp_path, monkeypatch, name):
    make_groups(tmp_path, *GROUPS[name])
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    monkeypatch.setattr(memory, "OWN_GROUPS", tmp_path / "own")
    assert memory_limits() == (3000, 2400)


def test_without_limits_the_memory_is_that_of_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    total, free = memory_limits()
    assert resource.getpagesize() < free <= total
