"""Runs that break off in the middle of an epoch, and what they save before."""

import csv
import multiprocessing
import os
import signal
import subprocess
import time

import pytest
import torch

from colorgan.colorizer import checkpoint
from colorgan.training import signals
from colorgan.training.run_directory import Place, checkpoints_of, latest_checkpoint, place_of
from tests.interrupting import Died, die, is_new

SETTINGS = ["trainer.max_epochs=2", "trainer.limit_train_batches=4", "checkpoint.every_batches=1"]


def stop(system):
    os.kill(os.getpid(), signal.SIGTERM)


def stop_all(system):
    workers = [str(worker.pid) for worker in multiprocessing.active_children()]
    subprocess.run(["kill", *workers], check=True)  # torch's workers take a signal of their parent for the end
    time.sleep(0.2)  # or the run stops before it misses them
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
    at(*place, die, is_new)
    with pytest.raises(Died):
        tiny_train(*train, experiment=file)
    assert place_of(latest_checkpoint(tmp_path / "run")) == Place(*place)
    assert tiny_train(*train, "--resume", experiment=file) == 0
    assert_same(tmp_path / "run", tmp_path / "whole")


def test_workers_skip_what_was_seen(tiny_train, tmp_path, at):
    assert tiny_train(*SETTINGS, f"run_dir={tmp_path / 'whole'}") == 0
    at(1, 2, die, is_new)
    with pytest.raises(Died):
        tiny_train(*SETTINGS, "data.workers=1")
    assert tiny_train(*SETTINGS, "data.workers=1", "--resume") == 0
    assert_same(tmp_path / "run", tmp_path / "whole")


def test_a_signal_saves_the_batch_and_names_the_command(tiny_train, tmp_path, at, capsys):
    train = [*SETTINGS, "checkpoint.every_batches=0"]
    assert tiny_train(*train, f"run_dir={tmp_path / 'whole'}") == 0
    handler = signal.getsignal(signal.SIGTERM)
    at(0, 1, stop, is_new)
    assert tiny_train(*train) == 128 + signal.SIGTERM
    error = capsys.readouterr().err
    assert "stopped by SIGTERM, everything is saved; it goes on with\n" in error and "gan.yaml --resume " in error
    assert signal.getsignal(signal.SIGTERM) == handler
    assert place_of(latest_checkpoint(tmp_path / "run")) == Place(0, 2)
    assert tiny_train(*train, "--resume") == 0
    assert_same(tmp_path / "run", tmp_path / "whole")


def test_a_signal_to_the_workers_too_saves_the_batch(tiny_train, tmp_path, at):
    at(0, 1, stop_all, is_new)
    assert tiny_train(*SETTINGS, "data.workers=1") == 128 + signal.SIGTERM
    assert place_of(latest_checkpoint(tmp_path / "run")) == Place(0, 2)


def test_a_signal_in_the_last_batch_waits_for_the_validation(tiny_train, tmp_path, at):
    at(0, 3, stop, is_new)
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
    at(1, 3, die, is_new)
    with pytest.raises(Died):
        tiny_train(*SETTINGS)
    names = [path.name for path in checkpoints_of(tmp_path / "run")]
    assert names == ["epoch=000.ckpt", "epoch=001-batch=000002.ckpt", "epoch=001-batch=000003.ckpt"]
    assert (tmp_path / "run/last.ckpt").resolve().name == names[-1]


def test_the_clock_saves_too(tiny_train, tmp_path, at):
    at(0, 3, die, is_new)
    with pytest.raises(Died):
        tiny_train(*SETTINGS, "checkpoint.every_batches=0", "checkpoint.every_minutes=1e-6")
    assert place_of(latest_checkpoint(tmp_path / "run")) == Place(0, 3)


def test_a_half_done_epoch_is_not_counted(tiny_train, tmp_path, at, capsys):
    at(1, 2, die, is_new)
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
    at(0, 2, die, is_new)
    with pytest.raises(Died):
        tiny_train(*SETTINGS)
    assert tiny_train(*SETTINGS, "--resume", changed) == 2
    error = capsys.readouterr().err
    assert "the checkpoint is from the middle of an epoch, with " in error and error.count("\n") == 1


def test_another_batch_size_goes_on_from_the_end_of_an_epoch(tiny_train):
    assert tiny_train(*SETTINGS, "trainer.max_epochs=1") == 0
    assert tiny_train(*SETTINGS, "--resume", "data.batch_size=2") == 0
