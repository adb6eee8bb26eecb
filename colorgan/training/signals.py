"""Signals that ask a run to stop: they wait for the end of a batch."""

import os
import signal
import subprocess
import threading
from types import FrameType


class Stopped(Exception):
    """A run has saved everything and leaves because of a signal.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def exit_code(self) -> int:
        """The exit code of a process that a signal ends, by the convention of shells."""
        return 128 + self.number


class StopSignals:
    """Remembers SIGTERM, SIGINT (Ctrl-C) and SIGUSR1 (SLURM, before the time is up); a second one acts at once.

    Attributes:
        received: number of the first signal; None so far.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._previous: dict[int, object] = {}

    def watch(self) -> None:
        """Begin to remember signals in place of what they did until now."""
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread of Python gets signals
        for name in ("SIGTERM", "SIGINT", "SIGUSR1"):
            if number := getattr(signal, name, None):  # Windows has no SIGUSR1
                self._previous[number] = signal.signal(number, self._remember)

    def release(self) -> None:
        """Let signals act as before."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        for other in self._previous:
            signal.signal(other, signal.default_int_handler if other == signal.SIGINT else signal.SIG_DFL)


def requeue_slurm_job(number: int) -> None:
    """Let SLURM start the job again, if this is one and the signal is the one that comes before its time is up."""
    if number != getattr(signal, "SIGUSR1", None) or "SLURM_JOB_ID" not in os.environ:
        return
    job = os.environ["SLURM_JOB_ID"]
    if array := os.environ.get("SLURM_ARRAY_JOB_ID"):
        job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    subprocess.run(["scontrol", "requeue", job], check=False)
