"""Python in a process of its own: what it prints, and its failure in one line."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from colorgan.diagnosis.anonymous import anonymize
from colorgan.training.launching import environment_of_one

EXCEPTION = re.compile(r"(\w+\.)*\w*(Error|Exception|Interrupt)\b")  # the start of a traceback's last line
CONSEQUENCE = re.compile(r"closed by peer|reset by peer|Broken pipe")  # another process of the run failed first
# What follows an error on stderr, and says nothing about it.
NOISE = re.compile(r"Child process with PID|resource_tracker|Warning:|^\s|^\[W")


@dataclass(frozen=True)
class Result:
    """How a process ended.

    Args:
        output: its stdout.
        error: its failure in one line, without names of the user and the host; None if it succeeded.
    """

    output: str
    error: str | None


def run_python(arguments: list[str], timeout: float) -> Result:
    """Run Python with these arguments, and end it and all processes that it started after `timeout` seconds."""
    # Files, because the end of a pipe would be open as long as any process that it started runs.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env=environment_of_one(),  # it starts alone
            start_new_session=True,
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end_group(process)
        output.seek(0)
        errors.seek(0)
        printed, log = (file.read().decode(errors="replace") for file in (output, errors))
    return Result(printed, None if code == 0 else anonymize(_explain(code, log, timeout)))


def _end_group(process: subprocess.Popen) -> None:
    """End the process and those that it started, if any are left."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # all have ended (PermissionError: macOS)
        pass
    process.wait()


def _explain(code: int | None, log: str, timeout: float) -> str:
    """Describe a failure in one line.

    Args:
        code: exit code; negative for a signal, None after the timeout.
        log: its stderr.
        timeout: after which it was ended, in seconds.
    """
    reason = last_line(log)
    if code is None:
        return f"did not end within {timeout:.0f} s; its last line: {reason}"
    if code < 0 and not EXCEPTION.match(reason):  # an exception in another process of a run ends the first one, too
        cause = ", as when memory runs out" if code == -signal.SIGKILL else ""
        return f"ended by {signal.Signals(-code).name}{cause}; its last line: {reason}"
    return reason


def last_line(log: str) -> str:
    """Return the line of a log that says best what went wrong.

    That is the last exception that is no consequence of another process's failure, else the last exception, else the
    last line.
    """
    lines = [re.sub(r"^(\[rank\d+\]:\s?|error: )", "", line).rstrip() for line in log.splitlines()]
    lines = [line for line in lines if line and not NOISE.search(line)]
    exceptions = [line for line in lines if EXCEPTION.match(line)]
    causes = [line for line in exceptions if not CONSEQUENCE.search(line)]
    return (causes or exceptions or lines or ["(nothing)"])[-1]
