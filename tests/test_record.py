"""`run.json`, the record of the sessions of a run, and runs that repeat bit for bit."""

import json

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from colorgan import facts
from colorgan.colorizer import checkpoint
from colorgan.training import record


def sessions(run):
    return json.loads((run / "run.json").read_text())["sessions"]


def since(capsys):
    """The printed lines about what differs from the last session."""
    start = "since the last session: "
    return [line.removeprefix(start) for line in capsys.readouterr().out.splitlines() if line.startswith(start)]


def test_a_run_records_what_it_ran_on_and_with(tiny_train, tmp_path, folder):
    data = ("data=folder", f"data.root={folder}", "data.near_gray=0")
    assert tiny_train(*data, "seed=7") == 0
    (session,) = sessions(tmp_path / "run")
    assert session["versions"].keys() >= {"python", "torch", "pytorch-lightning", "torchvision", "kornia", "numpy"}
    assert session["versions"]["torch"] == torch.__version__
    assert session["hardware"].items() >= {"device": "cpu", "processes": 1, "precision": "32-true"}.items()
    assert session["experiment"] == OmegaConf.to_container(OmegaConf.load(tmp_path / "run/experiment.yaml"))
    assert session["data"]["train"] + session["data"]["val"] == 12
    assert {"seed=7", f"data.root={folder}"} <= set(session["overrides"])
    assert (session["checkpoint"], session["differences"]) == (None, [])


def test_each_session_is_added_and_says_what_differs(tiny_train, tmp_path, monkeypatch, capsys):
    tiny_train()
    monkeypatch.setattr(facts, "version_of", lambda package: "0.0.1" if package == "kornia" else "1")
    assert tiny_train("--resume", "trainer.max_epochs=2", "optim.lr=1e-5") == 0
    said = since(capsys)
    assert "experiment.optim.lr was 0.0002 and is 1e-05" in said
    assert "experiment.trainer.max_epochs was 1 and is 2" in said
    assert any(line.startswith("versions.kornia was ") and line.endswith(' and is "0.0.1"') for line in said)
    first, second = sessions(tmp_path / "run")
    assert (first["differences"], second["differences"]) == ([], said)
    assert second["checkpoint"].endswith("epoch=000.ckpt")
    assert second["experiment"]["optim"]["lr"] == 1e-5


def test_other_photographs_are_said(tiny_train, folder, capsys):
    data = ("data=folder", f"data.root={folder}", "data.near_gray=0", "data.val_share=0.3")
    tiny_train(*data)
    for i in range(4):
        Image.fromarray(np.full((40, 48, 3), (0, 99, i), np.uint8)).save(folder / f"sea/new{i}.png")
    assert tiny_train(*data, "--resume", "trainer.max_epochs=2") == 0
    assert [line for line in since(capsys) if line.startswith("data.digest was ")]


def test_what_is_the_same_is_not_said(tiny_train, tmp_path, capsys):
    tiny_train("trainer.max_epochs=2")
    (tmp_path / "run/epoch=001.ckpt").unlink()
    assert tiny_train("--resume", "trainer.max_epochs=2") == 0
    assert since(capsys) == []
    assert len(sessions(tmp_path / "run")) == 2


def test_a_branch_is_compared_with_the_run_that_it_left(tiny_train, tmp_path, capsys):
    tiny_train()
    source, branch = tmp_path / "run/epoch=000.ckpt", tmp_path / "branch"
    assert tiny_train("--from", str(source), f"run_dir={branch}", "trainer.max_epochs=2") == 0
    assert "experiment.trainer.max_epochs was 1 and is 2" in since(capsys)
    assert len(sessions(branch)) == len(sessions(tmp_path / "run")) == 1


def test_a_damaged_record_is_kept_aside(tiny_train, tmp_path, capsys):
    tiny_train()
    (tmp_path / "run/run.json").write_text("{")
    assert tiny_train("--resume", "trainer.max_epochs=2") == 0
    out = capsys.readouterr().out
    assert "run.json: cannot be read as the record of a run; it is now run-damaged-" in out
    assert "run.json: nothing is known of the sessions before this one" in out
    (aside,) = (tmp_path / "run").glob("run-damaged-*.json")
    assert aside.read_text() == "{"
    assert len(sessions(tmp_path / "run")) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"sessions": 3}', b'{"sessions": [3]}', b"\xff"])
def test_what_is_no_record(tmp_path, content):
    (tmp_path / "run.json").write_bytes(content)
    assert record.read_sessions(tmp_path / "run.json") is None


def test_a_write_that_fails_leaves_the_old_record(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    record.write_atomically(path, "old")

    def fail(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record.os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        record.write_atomically(path, "new")
    assert path.read_text() == "old"


def test_deterministic_runs_end_with_the_same_bits(tiny_train, tmp_path):
    try:
        for name in ("one", "two"):
            assert tiny_train("--deterministic", f"run_dir={tmp_path / name}") == 0
            assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
    one, two = (checkpoint.read(tmp_path / name / "last.ckpt") for name in ("one", "two"))
    assert one["experiment"]["trainer"]["deterministic"] is True
    assert all(torch.equal(value, two["state_dict"][key]) for key, value in one["state_dict"].items())


def test_algorithms_chosen_by_speed_are_not_deterministic(tiny_train, capsys):
    assert tiny_train("--deterministic", "trainer.benchmark=true") == 2
    assert "trainer.benchmark=true chooses algorithms by their speed" in capsys.readouterr().err
