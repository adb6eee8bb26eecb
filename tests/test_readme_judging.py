"""The README's commands that judge: each runs as it stands there, on tiny pictures and a tiny model."""

import shlex
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorgan import compare, evaluate, train, turing
from colorgan.study import folder as studies
from colorgan.study.store import Store
from tests.conftest import tiny
from tests.test_readme import COMPARE, EVALUATE, TURING

PAIRS = 54  # of a session


@pytest.fixture
def at_home(tmp_path, monkeypatch, tiny_train):
    """A folder as the README's reader has it: PHOTOGRAPHS, UNSEEN, COLORED and a trained gan-folder."""
    root = Path.cwd()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiments").symlink_to(root / "experiments")
    generator = np.random.default_rng(0)
    for i in range(PAIRS):
        path = tmp_path / "PHOTOGRAPHS" / ("sea", "forest")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(path)
    for copy in ("UNSEEN", "COLORED"):
        shutil.copytree("PHOTOGRAPHS", copy)
    here = ["data.root=PHOTOGRAPHS", "data.near_gray=0", "run_dir=checkpoints/gan-folder"]
    assert tiny_train(*here, experiment="experiments/gan-folder.yaml") == 0


def options(command):
    """What stands behind `python -m colorgan.X`."""
    return shlex.split(command)[3:]


def test_the_evaluations_run(at_home):
    for command in EVALUATE:
        assert evaluate.main([*options(command), "--size", "32", "--skip", "lpips", "--skip", "fid"]) == 0
    assert Path("results.html").is_file()
    assert Path("results.json").is_file()


def test_the_comparison_runs(at_home, monkeypatch):
    run = subprocess.run

    def in_process(command, **keywords):
        if command[0] == "git":  # which a run records
            return run(command, **keywords)
        return subprocess.CompletedProcess(command, train.main(command[3:]))

    monkeypatch.setattr("colorgan.comparison.runs.subprocess.run", in_process)
    (command,) = COMPARE
    shared = [item for item in tiny("experiments/gan-folder.yaml") if "discriminator" not in item]
    small = [item for item in shared if "max_epochs" not in item and "limit_train" not in item]
    fewer = {"10m": "8", "3": "1"}  # pictures in place of minutes, and one seed
    words = [fewer.get(word, word) for word in options(command)]
    assert compare.main([*words, *small, "data.near_gray=0", "--skip", "lpips", "--skip", "fid"]) == 0
    assert Path("checkpoints/compare/index.html").is_file()


def test_the_study_runs(at_home, capsys, monkeypatch):
    monkeypatch.setattr("colorgan.study.server.uvicorn.Server.run", lambda self, sockets: None)
    for command in TURING:
        words = options(command)
        if words[0] == "report":
            with closing(Store(studies.load(Path("study")))) as store:
                store.create_session()
        assert turing.main([*words, *(["--size", "32"] if words[0] == "make" else [])]) == 0
    assert "incomplete" in capsys.readouterr().out


def test_a_study_of_pictures_that_were_trained_on_is_said(at_home, capsys):
    words = ["PHOTOGRAPHS" if word == "UNSEEN" else word for word in options(TURING[0])]
    assert turing.main([*words, "--size", "32"]) == 0
    assert "gan-folder: trained on photographs of PHOTOGRAPHS; evaluate it on others" in capsys.readouterr().err
