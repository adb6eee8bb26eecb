"""Time of repeated work, cut into phases, on the host or on a device that works behind it."""

import itertools
from collections import defaultdict
from time import perf_counter
from typing import Any, Protocol

import torch
from torch.utils.flop_counter import FlopCounterMode


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
