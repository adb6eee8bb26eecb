"""Runs that break off in the middle of an epoch, and what they save before."""

import csv
import os
import signal
import subprocess
import sys

import pytest
import torch

from colorgan.colorizer import checkpoint
from colorgan.systems.base import System
from colorgan.training import checkpoints, signals, writing
from colorgan.training.run_directory import Place, checkpoints_of, latest_checkpoint, place_of
from colorgan.training.writing import SafeCheckpointIO

SETTINGS = ["trainer.max_epochs=2", "trainer.limit_train_batches=4", "checkpoint.every_batches=1"]


class Died(BaseException):
    """What no handler of an exception expects, like SIGKILL."""


@pytest.fixture
def at(monkeypatch):
    """Does something at the beginning of a batch, once."""

    def do(epoch, batch, action):
        step, done = System.training_step, []

        def training_step(self, pictures, batch_idx):
            if (self.current_epoch, batch_idx) == (epoch, batch) and not done:
                done.append(True)
                action()
            return step(self, pictures, batch_idx)

        monkeypatch.setattr(System, "training_step", training_step)

    return do


def die():
    raise Died


def stop():
    os.kill(os.getpid(), signal.SIGTERM)


def state_of(run):
    content = checkpoint.read(run / "last.ckpt")
    return [content[key] for key in ("state_dict", "optimizer_states", "lr_schedulers", "global_step")]


def history_of(run):
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [{key: value for key, value in row.items() if "per_second" not in key} for row in rows]


def assert_same(one, other):
    torch.testing.assert_close(state_of(one), state_of(other), rtol=0, atol=0)
    assert history_of(one) == history_of(other)


@pytest.mark.parametrize(
    "experiment, place", [("gan", (0, 2)), ("gan", (1, 3)), ("unet-regression", (0, 2)), ("zhang2016", (1, 3))]
)
def test_a_run_that_dies_in_an_epoch_ends_as_the_unbroken_one(tiny_train, tmp_path, at, experiment, place):
    train = [*SETTINGS, "optim.schedule=cosine", "data.name=photos", "data.root=null"]
    file = f"experiments/{experiment}.yaml"
    assert tiny_train(*train, f"run_dir={tmp_path / 'whole'}", experiment=file) == 0
    at(*place, die)
    with pytest.raises(Died):
        tiny_train(*train, experiment=file)
    assert place_of(latest_checkpoint(tmp_path / "run")) == Place(*place)
    assert tiny_train(*train, "--resume", experiment=file) == 0
    assert_same(tmp_path / "run", tmp_path / "whole")


def test_workers_skip_what_was_seen(tiny_train, tmp_path, at):
    assert tiny_train(*SETTINGS, f"run_dir={tmp_path / 'whole'}") == 0
    at(1, 2, die)
    with pytest.raises(Died):
        tiny_train(*SETTINGS, "data.workers=1")
    assert tiny_train(*SETTINGS, "data.workers=1", "--resume") == 0
    assert_same(tmp_path / "run", tmp_path / "whole")


def test_a_signal_saves_the_batch_and_names_the_command(tiny_train, tmp_path, at, capsys):
    train = [*SETTINGS, "checkpoint.every_batches=0"]
    assert tiny_train(*train, f"run_dir={tmp_path / 'whole'}") == 0
    handler = signal.getsignal(signal.SIGTERM)
    at(0, 1, stop)
    assert tiny_train(*train) == 128 + signal.SIGTERM
    error = capsys.readouterr().err
    assert "stopped by SIGTERM, everything is saved; it goes on with\n" in error and "gan.yaml --resume " in error
    assert signal.getsignal(signal.SIGTERM) == handler
    assert place_of(latest_checkpoint(tmp_path / "run")) == Place(0, 2)
    assert tiny_train(*train, "--resume") == 0
    assert_same(tmp_path / "run", tmp_path / "whole")


def test_a_signal_in_the_last_batch_waits_for_the_validation(tiny_train, tmp_path, at):
    at(0, 3, stop)
    assert tiny_train(*SETTINGS) == 128 + signal.SIGTERM
    assert place_of(latest_checkpoint(tmp_path / "run")) == Place(0)
    assert len(history_of(tmp_path / "run")) == 1


def test_a_second_signal_acts_at_once():
    watching = signals.StopSignals()
    watching.watch()
    try:
        os.kill(os.getpid(), signal.SIGINT)
        assert watching.received == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        watching.release()


def test_slurm_starts_the_job_again(tmp_path, monkeypatch):
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    signals.requeue_slurm_job(signal.SIGTERM)
    assert not (tmp_path / "asked").exists()  # it was canceled
    signals.requeue_slurm_job(signal.SIGUSR1)
    assert (tmp_path / "asked").read_text() == "requeue 17\n"


def test_middles_are_few_and_gone_with_the_epoch(tiny_train, tmp_path, at):
    at(1, 3, die)
    with pytest.raises(Died):
        tiny_train(*SETTINGS)
    names = [path.name for path in checkpoints_of(tmp_path / "run")]
    assert names == ["epoch=000.ckpt", "epoch=001-batch=000002.ckpt", "epoch=001-batch=000003.ckpt"]
    assert (tmp_path / "run/last.ckpt").resolve().name == names[-1]


def test_the_clock_saves_too(tiny_train, tmp_path, at):
    at(0, 3, die)
    with pytest.raises(Died):
        tiny_train(*SETTINGS, "checkpoint.every_batches=0", "checkpoint.every_minutes=1e-6")
    assert place_of(latest_checkpoint(tmp_path / "run")) == Place(0, 3)


def test_a_half_done_epoch_is_not_counted(tiny_train, tmp_path, at, capsys):
    at(1, 2, die)
    with pytest.raises(Died):
        tiny_train(*SETTINGS)
    assert tiny_train(*SETTINGS, "--resume", "trainer.max_epochs=1") == 0
    assert "is complete" in capsys.readouterr().out
    assert tiny_train("--from", str(tmp_path / "run/epoch=000.ckpt"), *SETTINGS) == 0
    assert "results later than epoch=000.ckpt are now in" in capsys.readouterr().out
    aside = next((tmp_path / "run").glob("aside-*"))
    assert {path.name for path in checkpoints_of(aside)} == {
        "epoch=001-batch=000001.ckpt",
        "epoch=001-batch=000002.ckpt",
    }


@pytest.mark.parametrize("changed", ["data.batch_size=2", "seed=5", "data.crops=30"])
def test_another_order_is_refused_in_the_middle(tiny_train, at, capsys, changed):
    at(0, 2, die)
    with pytest.raises(Died):
        tiny_train(*SETTINGS)
    assert tiny_train(*SETTINGS, "--resume", changed) == 2
    error = capsys.readouterr().err
    assert "the checkpoint is from the middle of an epoch, with " in error and error.count("\n") == 1


def test_another_batch_size_goes_on_from_the_end_of_an_epoch(tiny_train):
    assert tiny_train(*SETTINGS, "trainer.max_epochs=1") == 0
    assert tiny_train(*SETTINGS, "--resume", "data.batch_size=2") == 0


def damage(path):
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])


def test_damaged_checkpoints_are_passed_over(tiny_train, tmp_path, capsys):
    assert tiny_train(*SETTINGS) == 0
    run = tmp_path / "run"
    damage(run / "epoch=001.ckpt")
    assert tiny_train(*SETTINGS, "--resume", "trainer.max_epochs=3") == 0
    assert "epoch=001.ckpt: damaged, passed over" in capsys.readouterr().err
    assert [row["epoch"] for row in history_of(run)] == ["0", "1", "2"]
    for file in checkpoints_of(run):
        file.write_bytes(file.read_bytes()[:1000])
    assert tiny_train(*SETTINGS, "--resume", "trainer.max_epochs=4") == 2
    assert "no checkpoint of this run can be read" in capsys.readouterr().err


def refuse(monkeypatch, times):
    """Let the disk be full for some checkpoints."""
    save, count = torch.save, []

    def full(content, file):
        count.append(True)
        if len(count) in times:
            file.write(b"half of it")
            raise OSError(28, "No space left on device")
        save(content, file)

    monkeypatch.setattr(torch, "save", full)


def test_a_full_disk_costs_one_checkpoint(tiny_train, tmp_path, monkeypatch, capsys):
    settings = ["trainer.max_epochs=3", "checkpoint.keep=1"]
    refuse(monkeypatch, {2})
    assert tiny_train(*settings, "optim.lr=1e-3") == 0
    error = capsys.readouterr().err
    assert "epoch=001.ckpt: not written: No space left on device; older checkpoints are kept" in error
    assert [path.name for path in checkpoints_of(tmp_path / "run")] == ["epoch=002.ckpt"]
    assert not list((tmp_path / "run").glob(".*.tmp"))


def test_a_disk_that_stays_full_stops_the_run(tiny_train, tmp_path, monkeypatch, capsys):
    refuse(monkeypatch, {2, 3, 4})
    assert tiny_train("trainer.max_epochs=5", "checkpoint.keep=1") == 2
    assert "3 checkpoints in a row could not be saved" in capsys.readouterr().err
    assert latest_checkpoint(tmp_path / "run").name == "epoch=000.ckpt"
    assert checkpoint.is_whole(tmp_path / "run/best.ckpt") and checkpoint.is_whole(tmp_path / "run/last.ckpt")


def test_a_full_disk_costs_no_row(tiny_train, tmp_path, monkeypatch, capsys):
    replace, count = os.replace, []

    def full(source, target):
        count.append(True)
        if len(count) == 1:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(writing.os, "replace", lambda a, b: full(a, b) if "metrics" in str(b) else replace(a, b))
    assert tiny_train("trainer.max_epochs=2") == 0
    assert "metrics.csv: not written: No space left on device; the run goes on" in capsys.readouterr().err
    assert [row["epoch"] for row in history_of(tmp_path / "run")] == ["0", "1"]


def test_a_checkpoint_gets_its_name_when_it_can_be_read(tmp_path):
    saving = SafeCheckpointIO()
    saving.save_checkpoint({"experiment": {}, "state_dict": {}}, tmp_path / "a.ckpt")
    before = (tmp_path / "a.ckpt").read_bytes()
    saving.save_checkpoint({"no": "experiment"}, tmp_path / "a.ckpt")
    assert "holds no experiment" in saving.failure
    assert (tmp_path / "a.ckpt").read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def set_best(file, value):
    """Let the best epoch have a distance that no later one can have."""
    content = torch.load(file)
    content["callbacks"]["RollingCheckpoints"]["best"] = value
    torch.save(content, file)


def test_the_best_epoch_survives_a_move(tiny_train, tmp_path):
    assert tiny_train("trainer.max_epochs=1") == 0
    set_best(tmp_path / "run/epoch=000.ckpt", -1.0)
    (tmp_path / "run").rename(tmp_path / "moved")
    before = (tmp_path / "moved/best.ckpt").read_bytes()
    assert tiny_train("trainer.max_epochs=2", "--resume", f"run_dir={tmp_path / 'moved'}") == 0
    assert (tmp_path / "moved/best.ckpt").read_bytes() == before


def test_a_kill_before_the_best_epoch_has_its_name_costs_nothing(tiny_train, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "replace_hard_link", lambda path, target: die())
    with pytest.raises(Died):
        tiny_train()
    monkeypatch.undo()
    set_best(tmp_path / "run/epoch=000.ckpt", -1.0)
    assert tiny_train("--resume", "trainer.max_epochs=2") == 0
    assert checkpoint.read(tmp_path / "run/best.ckpt")["epoch"] == 0


HOLDER = """
import sys, time
from pathlib import Path
from colorgan.training.lock import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_two_processes_never_train_one_run(tiny_train, tmp_path, capsys):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path / "run"], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "locked\n"
        assert tiny_train() == 2
        assert f"process {holder.pid} on " in capsys.readouterr().err
    finally:
        holder.kill()
        holder.communicate()
    assert tiny_train() == 0  # a dead process holds nothing
