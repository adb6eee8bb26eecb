"""The clocks, the recorder and the memory of the benchmarks."""

from types import SimpleNamespace

import pytest
import torch

from colorgan.benching import timing
from colorgan.benching.steps import StepRecorder
from colorgan.benching.timing import EventClock, HostClock, Recorder
from tests.faking import batch_on_cuda, fake_cuda, system_on_cuda


class Steps:
    """A clock that goes by one at each look."""

    def __init__(self):
        self.time = 0

    def now(self):
        self.time += 1
        return self.time

    differences = HostClock.differences


def test_a_recorder_leaves_no_time_out():
    recorder = Recorder(Steps())
    recorder.mark("before")  # at 1, in no window
    for window in (0, 1):
        recorder.enter(window)
        for phase in ("a", "b", "b", "a"):  # at 2, 3, -, 4 and at 5, 6, -, 7
            recorder.mark(phase)
    recorder.enter(None)
    recorder.mark("after")  # at 8
    assert recorder.totals() == {0: {"a": 2, "b": 1}, 1: {"a": 2, "b": 1}}


class Device:
    """A device whose events happen a second after one another, once it has been waited for."""

    def __init__(self):
        self.events = []
        self.waits = 0

    def synchronize(self):
        self.waits += 1

    def event(self, enable_timing):
        assert enable_timing
        return SimpleNamespace(record=lambda: self.events.append(None), elapsed_time=self.elapsed)

    def elapsed(self, other):
        assert self.waits
        return 1000.0


def test_events_are_waited_for_once_and_at_the_end():
    device = Device()
    recorder = Recorder(EventClock(device, device.event))
    recorder.enter(0)
    for phase in ("a", "b", "a", "c"):
        recorder.mark(phase)
    assert (len(device.events), device.waits) == (4, 0)
    assert recorder.totals() == {0: {"a": 2.0, "b": 1.0}}
    assert device.waits == 1


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_a_device_has_a_clock_of_events(kind):
    clock = timing.clock_of(kind)
    assert (clock.backend, clock.event.__name__) == (getattr(torch, kind), "Event")


def test_recording_the_phases_of_a_step_waits_for_nothing():
    device = Device()
    with fake_cuda() as waits:
        system = system_on_cuda("net=resunet", "discriminator=compact")
        steps = StepRecorder([], counts_flops=False)
        steps.recorder = Recorder(EventClock(device, device.event))
        steps.on_train_start(SimpleNamespace(optimizers=system._trainer.optimizers), system)
        waits.clear()
        steps.recorder.enter(0)
        system.train_batch(batch_on_cuda())
        assert not waits and not device.waits
    phases = ["generator forward", "discriminator step", "generator step"]  # the loop is not there to mark the others
    assert list(steps.recorder.totals()[0]) == phases
