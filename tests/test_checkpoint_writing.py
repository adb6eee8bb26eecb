"""Checkpoints on full and broken disks, and run directories that others use."""

import csv
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from colorgan import atomic
from colorgan.colorizer import checkpoint
from colorgan.training import checkpoints
from colorgan.training.run_directory import checkpoints_of, latest_checkpoint
from colorgan.training.writing import SafeCheckpointIO
from tests.interrupting import Died

SETTINGS = ["trainer.max_epochs=2", "trainer.limit_train_batches=4"]


def history_of(run):
    with (run / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def die(*_):
    raise Died


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
    assert not list((tmp_path / "run").glob(".*.part"))


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

    monkeypatch.setattr(atomic.os, "replace", lambda a, b: full(a, b) if "metrics" in str(b) else replace(a, b))
    assert tiny_train("trainer.max_epochs=2") == 0
    assert "metrics.csv: not written: No space left on device; the run goes on" in capsys.readouterr().err
    assert [row["epoch"] for row in history_of(tmp_path / "run")] == ["0", "1"]


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_where_there_are_no_links_files_are_copied(tiny_train, tmp_path, monkeypatch, link):
    def refuse_links(self, target):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, link, refuse_links)
    assert tiny_train() == 0
    for name in ("last.ckpt", "best.ckpt"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "run/epoch=000.ckpt").read_bytes()


@pytest.mark.parametrize("link, name", [("symlink_to", "last.ckpt"), ("hardlink_to", "best.ckpt")])
def test_a_disk_without_room_for_a_link_costs_a_line(tiny_train, tmp_path, monkeypatch, capsys, link, name):
    def full(self, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, link, full)
    assert tiny_train("trainer.max_epochs=2") == 0
    assert f"{name}: not written: No space left on device; the run goes on" in capsys.readouterr().err
    assert latest_checkpoint(tmp_path / "run").name == "epoch=001.ckpt"
    assert not (tmp_path / "run" / name).exists()


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
    monkeypatch.setattr(checkpoints, "replace_hard_link", die)
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
