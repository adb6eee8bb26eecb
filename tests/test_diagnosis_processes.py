"""Processes that the doctor starts: their output, and their error in one line."""

import time
from pathlib import Path

from colorgan.diagnosis.processes import last_line, run_python


def test_a_process_that_crashes_is_one_line():
    result = run_python(["-c", "print(3); raise ValueError('five')"], timeout=60)
    assert (result.output, result.error) == ("3\n", "ValueError: five")


def test_a_process_that_is_killed_is_one_line():
    result = run_python(["-c", "import os; os.kill(os.getpid(), 9)"], timeout=60)
    assert result.error == "ended by SIGKILL, as when memory runs out; its last line: (nothing)"


def test_a_process_that_hangs_is_ended_with_all_that_it_started():
    sleep = "[sys.executable, '-c', 'import time; time.sleep(60)']"
    script = f"import subprocess, sys, time; print(subprocess.Popen({sleep}).pid, flush=True); time.sleep(60)"
    result = run_python(["-c", script], timeout=2)
    assert result.error.startswith("did not end within 2 s")
    child = Path(f"/proc/{result.output.strip()}/stat")
    end = time.monotonic() + 10
    while child.exists() and child.read_text().split()[2] != "Z":  # Z: ended, and not yet collected by its new parent
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_process_does_not_take_itself_for_one_of_several(monkeypatch):
    for name in ("SLURM_NTASKS", "SLURM_PROCID", "RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_PORT"):
        monkeypatch.setenv(name, "4")
    monkeypatch.setenv("COLORGAN_TEST_KEPT", "1")
    seen = run_python(["-c", "import os; print(*os.environ)"], timeout=60).output.split()
    assert "COLORGAN_TEST_KEPT" in seen
    assert not [name for name in seen if "RANK" in name or name.startswith(("SLURM", "WORLD", "MASTER"))]


def test_the_error_of_a_run_of_several_processes_is_its_cause():
    log = """Initializing distributed: GLOBAL_RANK: 0, MEMBER: 1/2
[rank1]: Traceback (most recent call last):
[rank1]:   File "train.py", line 1, in step
[rank1]: ValueError: the cause
[rank0]: RuntimeError: [pair.cc:561] Connection closed by peer [127.0.0.1]:53174.
[rank: 1] Child process with PID 3 terminated with code 1. Forcefully terminating all other processes
"""
    assert last_line(log) == "ValueError: the cause"
