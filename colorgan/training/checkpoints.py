"""The checkpoints of a run: of its epochs, of the middle of its epochs, and the best one."""

import sys
import time
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint

from colorgan.colorizer.checkpoint import read
from colorgan.errors import UserError
from colorgan.training.run_directory import Place, checkpoints_of, place_of
from colorgan.training.signals import Stopped, StopSignals
from colorgan.training.writing import replace_hard_link, replace_link, warn_if_full

KEPT_MIDDLES = 2  # of an epoch: where one is damaged, there is another
AGREE_EVERY = 10  # batches between two questions whether any of several processes wants to save or stop
MAX_FAILURES = 3  # checkpoints in a row that could not be written


class RollingCheckpoints(Checkpoint):
    """Saves checkpoints, deletes old ones, and stops the run at a signal once everything is saved.

    `epoch=NNN.ckpt` is written at the end of each epoch, `epoch=NNN-batch=NNNNNN.ckpt` in its middle. `last.ckpt` is a
    link to the latest of them, `best.ckpt` another name of the epoch with the best validation. All processes call it;
    the first one writes.

    Lightning's ModelCheckpoint counts optimizer steps in place of batches, has no clock under manual optimization,
    forgets the best epoch where a run was moved, and deletes an old checkpoint for one that could not be written.

    Args:
        run_dir: folder for the checkpoints.
        settings: the `checkpoint` node of the experiment.
        monitor: metric of the best epoch.
        mode: whether its smallest or its largest value is best.

    Raises:
        UserError: `keep` is below 1; three checkpoints in a row could not be written.
        Stopped: there was a signal to stop; everything is saved.
    """

    def __init__(self, run_dir: Path, settings: Any, monitor: str, mode: Literal["min", "max"]):
        if settings.keep < 1:
            raise UserError(f"checkpoint.keep={settings.keep}: at least 1, to go on from")
        self.run_dir = run_dir
        self.settings = settings
        self.monitor = monitor
        self.mode = mode
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.failures = 0
        self.spared: set[Place] = set()  # not deleted, as a guard may go back to them
        self.signals = StopSignals()

    def state_dict(self) -> dict[str, Any]:
        return {"monitor": self.monitor, "best": self.best, "best_epoch": self.best_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if state_dict["monitor"] == self.monitor:
            self.best, self.best_epoch = state_dict["best"], state_dict["best_epoch"]

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Take the best value from the state of Lightning's callback, which wrote the checkpoints of 0.1."""
        for state in checkpoint["callbacks"].values():
            if state.get("best_model_score") is not None and state["monitor"] == self.monitor:
                self.best = float(state["best_model_score"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Give the best epoch its name, if the run was killed just before."""
        self.saved_at = time.monotonic()
        self.signals.watch()
        if trainer.is_global_zero and self.best_epoch is not None:
            best, epoch = self.run_dir / "best.ckpt", self.run_dir / Place(self.best_epoch).file_name
            if epoch.exists() and not (best.exists() and read(best)["epoch"] == self.best_epoch):
                self._name_best(epoch)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        done = batch_idx + 1
        if done >= trainer.num_training_batches or trainer.should_stop:
            return  # the epoch ends, and saves after its validation
        number = self._agree_on_signal(trainer, done)
        if number or self._is_due(trainer, done):
            self._save(trainer, Place(trainer.current_epoch, done))
        if number:
            raise Stopped(number)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        previous, value = (self.best, self.best_epoch), trainer.callback_metrics.get(self.monitor)
        is_best = pl_module.is_validated_epoch() and self._is_better(float(value))
        if is_best:  # before saving: a resumed run then replaces best.ckpt only by a better one
            self.best, self.best_epoch = float(value), trainer.current_epoch
        place = Place(trainer.current_epoch)
        if not self._save(trainer, place):
            self.best, self.best_epoch = previous
        else:
            if is_best and trainer.is_global_zero:
                self._name_best(self.run_dir / place.file_name)
            for logger in trainer.loggers:
                logger.after_save_checkpoint(self)
        if number := self._agree_on_signal(trainer, 0):
            raise Stopped(number)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self.signals.release()

    def _is_better(self, value: float) -> bool:
        return self.best is None or (value < self.best if self.mode == "min" else value > self.best)

    def _is_due(self, trainer: pl.Trainer, done: int) -> bool:
        """Return whether a checkpoint of the middle of an epoch is due, the same in all processes."""
        every_batches, every_minutes = self.settings.every_batches, self.settings.every_minutes
        if every_batches and done % every_batches == 0:
            return True
        if not every_minutes or (trainer.world_size > 1 and done % AGREE_EVERY):
            return False
        return _any_process(trainer, time.monotonic() - self.saved_at >= 60 * every_minutes)

    def _agree_on_signal(self, trainer: pl.Trainer, done: int) -> int | None:
        """Return the number of a signal that any process got, the same in all of them; None if there was none."""
        if trainer.world_size == 1:
            return self.signals.received
        if done % AGREE_EVERY:
            return None
        received = torch.tensor(self.signals.received or 0, device=trainer.strategy.root_device)
        return int(trainer.strategy.reduce(received, reduce_op="max")) or None

    def _save(self, trainer: pl.Trainer, place: Place) -> bool:
        """Save a checkpoint, and delete old ones; return whether it was written."""
        path = self.run_dir / place.file_name
        trainer.save_checkpoint(path)
        self.saved_at = time.monotonic()
        failure = trainer.strategy.broadcast(trainer.strategy.checkpoint_io.failure)
        self.failures = self.failures + 1 if failure else 0
        if self.failures >= MAX_FAILURES:
            raise UserError(
                f"{path}: not written: {failure}. {MAX_FAILURES} checkpoints in a row could not be saved: free some "
                "space, and continue from the latest one with --resume"
            )
        if trainer.is_global_zero:
            if failure:
                print(f"{path}: not written: {failure}; older checkpoints are kept", file=sys.stderr, flush=True)
            else:
                last = self.run_dir / "last.ckpt"
                with warn_if_full(last):
                    replace_link(last, path)
                    self._delete_old(place)
        return not failure

    def _name_best(self, epoch: Path) -> None:
        """Give the file of an epoch the name best.ckpt, too; where that fails, a resumed run tries it again."""
        best = self.run_dir / "best.ckpt"
        with warn_if_full(best):
            replace_hard_link(best, epoch)

    def _delete_old(self, latest: Place) -> None:
        """Delete checkpoints that are not to be kept; those of later epochs, as of another run, are none of ours."""
        files = {place_of(path): path for path in checkpoints_of(self.run_dir) if place_of(path) <= latest}
        epochs = sorted(place for place in files if place.is_end)
        middles = sorted(place for place in files if not place.is_end)
        keep, every = self.settings.keep, self.settings.keep_every
        kept = set(epochs[-keep:]) | {place for place in epochs if every and (place.epoch + 1) % every == 0}
        kept |= self.spared
        kept |= set() if latest.is_end else set(middles[-KEPT_MIDDLES:])
        for place in files.keys() - kept:
            files[place].unlink(missing_ok=True)


def _any_process(trainer: pl.Trainer, decision: bool) -> bool:
    return decision if trainer.world_size == 1 else trainer.strategy.reduce_boolean_decision(decision, all=False)
