"""The phases of training steps, recorded from the outside: by hooks of the loop, the networks and the optimizers."""

from collections.abc import Iterator
from time import process_time
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from colorgan.benching.timing import FlopClock, Recorder, clock_of
from colorgan.memory import PeakMemory
from colorgan.systems.base import System

WAITING, COLOR, FORWARD = "waiting for data", "transfer and color", "generator forward"
DISCRIMINATOR, GENERATOR = "discriminator step", "generator step"
OPTIMIZERS, LOGGING = "optimizers", "average and logging"
HELD_WARM_UP = 2  # batches


class Window(NamedTuple):
    """Consecutive batches that are measured together: those of a repeat, from the data or held on the device."""

    is_held: bool
    repeat: int


def make_schedule(repeats: int, batches: int, warm_up: int) -> list[Window | None]:
    """Return the window of each batch; None for those that are not measured."""
    windows: list[Window | None] = [None] * warm_up
    windows += [Window(False, i) for i in range(repeats) for _ in range(batches)]
    windows += [None] * HELD_WARM_UP
    windows += [Window(True, i) for i in range(repeats) for _ in range(batches)]
    return [*windows, None]  # the FLOP of the last one are counted


class StepRecorder(Callback):
    """Records the phases of training steps, from the outside: by hooks of the loop, the networks and the optimizers.

    A part of a network that runs decides between the phases of the generator and the discriminator, which so include
    what a loss computes after them. `optimizers` begins where a backward pass ends, with the norm of the gradients.

    Args:
        schedule: the window of each batch, with None for batches that are not measured. The last batch is used to
            count FLOP.
        counts_flops: whether to do so; networks that are compiled cannot be counted.
    """

    def __init__(self, schedule: list[Window | None], counts_flops: bool):
        self.schedule = schedule
        self.counter = FlopCounterMode(display=False) if counts_flops else None
        self.flops: dict[str, float] = {}  # of a batch, by phase and as "step"
        self.peaks: dict[Window, int] = {}  # bytes
        self.cpu_seconds: dict[Window, float] = {}  # of this process, without its workers
        self.loaded = 0  # bytes
        self.world_size = 1
        self._stepped: set[str] = set()  # networks that this batch has trained
        self._handles: list[Any] = []

    def setup(self, trainer: pl.Trainer, pl_module: System, stage: str) -> None:
        """Take the place of the training loader: where a batch is asked for, no hook of Lightning is called."""
        self.device, self.world_size = trainer.strategy.root_device, trainer.world_size
        self.memory = PeakMemory(self.device.type)
        self.loaded = self.memory.loaded
        self.recorder = Recorder(clock_of(self.device.type))
        make = trainer.datamodule.train_dataloader
        trainer.datamodule.train_dataloader = lambda: TimedLoader(make(), self)

    def on_train_start(self, trainer: pl.Trainer, pl_module: System) -> None:
        self.recorder_of_step = self.recorder
        compiled = pl_module.experiment.trainer.compile
        for (name, (network, _)), optimizer in zip(pl_module.networks().items(), trainer.optimizers, strict=True):
            hook = torch.compiler.disable(self._runs(name)) if compiled else self._runs(name)
            # Methods other than `forward` do not call the hooks of the network itself. Compiled graphs are left whole.
            for module in [network] if compiled else [network, *network.children()]:
                self._handles.append(module.register_forward_pre_hook(hook))
            self._handles.append(optimizer.register_step_post_hook(self._has_stepped(name)))

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: System, batch: Any, batch_idx: int) -> None:
        self._stepped.clear()
        if self._is_last(batch_idx) and self.counter:
            self.recorder_of_step = Recorder(FlopClock(self.counter))
            self.recorder_of_step.enter("step")
            self.recorder_of_step.mark(COLOR)
            self.counter.__enter__()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: System, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._is_last(batch_idx) and self.counter:
            self.counter.__exit__(None, None, None)
            self.recorder_of_step.enter(None)
            self.recorder_of_step.mark("end")
            counted = {phase: n for phase, n in self.recorder_of_step.totals()["step"].items() if n}
            self.flops = {"step": sum(counted.values()), **counted}

    def on_before_backward(self, trainer: pl.Trainer, pl_module: System, loss: Tensor) -> None:
        if self.recorder_of_step.phase == FORWARD:
            self.recorder_of_step.mark(GENERATOR)

    def on_after_backward(self, trainer: pl.Trainer, pl_module: System) -> None:
        self.recorder_of_step.mark(OPTIMIZERS)

    def on_train_end(self, trainer: pl.Trainer, pl_module: System) -> None:
        for handle in self._handles:
            handle.remove()

    def enter(self, window: Window | None, previous: Window | None) -> None:
        """Go from a window to the next one."""
        if previous is not None and window != previous:
            self.peaks[previous] = self.memory.peak()
            self.cpu_seconds[previous] += process_time()
        if window is not None and window != previous:
            self.memory.reset()
            self.cpu_seconds[window] = -process_time()
        self.recorder.enter(window)

    def _is_last(self, batch_idx: int) -> bool:
        return batch_idx == len(self.schedule) - 1

    def _runs(self, name: str) -> Any:
        """Return the hook of a network that begins to run, wholly or in part."""

        def hook(module: nn.Module, inputs: Any) -> None:
            if name == "generator":
                phase = FORWARD
            else:
                phase = GENERATOR if name in self._stepped else DISCRIMINATOR
            self.recorder_of_step.mark(phase)

        return hook

    def _has_stepped(self, name: str) -> Any:
        """Return the hook of an optimizer that has taken its step."""

        def hook(optimizer: Any, arguments: Any, keywords: Any) -> None:
            self._stepped.add(name)
            self.recorder_of_step.mark(LOGGING if name == "generator" else GENERATOR)

        return hook


class TimedLoader:
    """The training batches of a loader, epoch after epoch, as many as are measured; the later ones are one held batch.

    Args:
        loader: yields batches of the CPU.
        steps: is told when a batch is asked for and when it is there.
    """

    def __init__(self, loader: DataLoader, steps: StepRecorder):
        self.loader = loader
        self.steps = steps

    @property
    def sampler(self) -> Any:
        """The sampler, whose epoch Lightning sets."""
        return self.loader.sampler

    def __len__(self) -> int:
        return len(self.steps.schedule)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        batches, window, held = self._epochs(), None, None
        first_held = next(i for i, at in enumerate(self.steps.schedule) if at and at.is_held) - HELD_WARM_UP
        for i, following in enumerate(self.steps.schedule):
            self.steps.enter(following, window)
            window = following
            self.steps.recorder.mark(WAITING)
            if i < first_held:
                batch = next(batches)
            else:
                batch = held = held or self._hold(next(batches))
            self.steps.recorder.mark(COLOR)
            yield batch

    def _epochs(self) -> Iterator[dict[str, Tensor]]:
        epoch = 0
        self.loader.position = lambda: 0  # the Trainer counts all of them as one epoch
        while True:
            yield from self.loader
            epoch += 1
            self.loader.sampler.set_epoch(epoch)

    def _hold(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Move a batch to the device, except for the indices, which the data module reads on the CPU."""
        return {key: value if key == "index" else value.to(self.steps.device) for key, value in batch.items()}
