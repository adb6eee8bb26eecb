"""Time and memory of repeated work, cut into phases, on the host or on a device that works behind it."""

import itertools
import resource
import sys
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import torch
from torch.utils.flop_counter import FlopCounterMode

STATUS = Path("/proc/self/status")  # of Linux
RESET_PEAK = Path("/proc/self/clear_refs"), "5"  # what to write where, for Linux to forget the peak of resident memory


class Clock(Protocol):
    """Stamps moments; asked for the time between them after all of them have passed."""

    def now(self) -> Any:
        """Return a stamp of this moment, without waiting for a device."""

    def differences(self, stamps: list[Any]) -> list[float]:
        """Return what has passed between each stamp and the next."""


class HostClock:
    """Seconds by the clock of the host, for work that is done when its call returns."""

    def now(self) -> float:
        return perf_counter()

    def differences(self, stamps: list[float]) -> list[float]:
        return [after - before for before, after in itertools.pairwise(stamps)]


class FlopClock(HostClock):
    """Floating-point operations in place of seconds.

    Args:
        counter: counts them.
    """

    def __init__(self, counter: FlopCounterMode):
        self.counter = counter

    def now(self) -> float:
        return self.counter.get_total_flops()


class EventClock:
    """Seconds by events in the queue of a device, which the host does not wait for until all have been recorded.

    Args:
        backend: `torch.cuda` or `torch.mps`.
        event: its class of events.
    """

    def __init__(self, backend: Any, event: type):
        self.backend = backend
        self.event = event

    def now(self) -> Any:
        event = self.event(enable_timing=True)
        event.record()
        return event

    def differences(self, stamps: list[Any]) -> list[float]:
        self.backend.synchronize()
        return [before.elapsed_time(after) / 1000 for before, after in itertools.pairwise(stamps)]


def clock_of(device: str) -> Clock:
    """Return the clock of a type of device: "cpu", "cuda" or "mps"."""
    if device == "cuda":
        return EventClock(torch.cuda, torch.cuda.Event)
    if device == "mps":
        return EventClock(torch.mps, torch.mps.event.Event)
    return HostClock()


class Recorder:
    """Cuts windows of work into phases. A phase lasts from its mark to the next mark, so that nothing is left out.

    Args:
        clock: what is measured.
    """

    def __init__(self, clock: Clock):
        self.clock = clock
        self.phase: str | None = None  # the current one
        self._window: Any = None
        self._marks: list[tuple[Any, str, Any]] = []  # window, phase and stamp

    def mark(self, phase: str) -> None:
        """End the current phase and begin another one; a phase of the same name goes on."""
        if phase != self.phase:
            self.phase = phase
            self._marks.append((self._window, phase, self.clock.now()))

    def enter(self, window: Any) -> None:
        """Count the phases from the next mark on for another window; those of the window None are not counted."""
        if window != self._window:
            self._window = window
            self.phase = None  # a window begins with a mark of its own

    def totals(self) -> dict[Any, dict[str, float]]:
        """Return window -> phase -> what has passed in it, with the phases in the order of their first marks."""
        found: dict[Any, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        passed = self.clock.differences([stamp for *_, stamp in self._marks])
        for (window, phase, _), value in zip(self._marks, passed, strict=False):
            if window is not None:
                found[window][phase] += value
        return {window: dict(phases) for window, phases in found.items()}


class PeakMemory:
    """The largest memory in bytes, and that at the start: allocated on a CUDA device, else resident of this process.

    Args:
        device: type of the device.
    """

    def __init__(self, device: str):
        self.is_cuda = device == "cuda"
        self.loaded = torch.cuda.memory_allocated() if self.is_cuda else _resident("VmRSS")

    def reset(self) -> None:
        """Begin anew; outside Linux and CUDA the peak stays that of the whole process."""
        if self.is_cuda:
            torch.cuda.reset_peak_memory_stats()
        else:
            with suppress(OSError):
                RESET_PEAK[0].write_text(RESET_PEAK[1])

    def peak(self) -> int:
        """Return the largest memory since `reset`."""
        return torch.cuda.max_memory_allocated() if self.is_cuda else _resident("VmHWM")


def _resident(key: str) -> int:
    with suppress(OSError):
        for line in STATUS.read_text().splitlines():
            if line.startswith(f"{key}:"):
                return 1024 * int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # macOS counts bytes, others kilobytes
