"""The command of the doctor: short trainings, its exit codes, and what it writes."""

import io
import json
import os
import shlex
import socket
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from colorgan import doctor
from colorgan.diagnosis import machine, trial
from colorgan.diagnosis.trial import Outcome, Trial, make_trials
from tests.diagnosed import ALONE, CLUSTER, GOOD, GPU, LAPTOP
from tests.test_readme import DOCTOR

TINY = ("trainer.accelerator=cpu", "net.width=4", "discriminator.width=4", "data.size=32", "data.workers=0")
TWO_EPOCHS = ("trainer.max_epochs=2", "trainer.max_time=null")  # on a machine that is however busy


def test_each_device_is_tried_alone_and_then_all_together():
    overrides = {trial.name: trial.overrides for trial in make_trials(CLUSTER)}
    assert list(overrides) == ["cuda:0", "cuda:1", "2 GPUs"]
    assert overrides["cuda:1"] == ("trainer.accelerator=cuda", "trainer.devices=[1]")
    assert overrides["2 GPUs"] == ("trainer.accelerator=cuda", "trainer.devices=2")


@pytest.mark.parametrize(
    ("tried", "names"),
    [
        (replace(CLUSTER, gpus=[GPU]), ["cuda:0", "2 CPU processes"]),
        (replace(LAPTOP, mps=True), ["mps", "2 CPU processes"]),
        (LAPTOP, ["cpu", "2 CPU processes"]),
    ],
)
def test_a_machine_with_one_device_trains_in_two_processes_of_its_cpu(tried, names):
    assert [trial.name for trial in make_trials(tried)] == names


@pytest.fixture(scope="module")
def diagnosis(tmp_path_factory):
    """Exit code, page and facts of the command on this machine, after a training that fails and one that works."""
    trials = [
        Trial("broken", 1, 2, ("optim.lr=fast",)),
        Trial("2 CPU processes", 2, 2, (*TINY, *TWO_EPOCHS, "trainer.devices=2")),
    ]
    file = tmp_path_factory.mktemp("doctor") / "new" / "facts.json"
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as page:
        patch.setattr(trial, "make_trials", lambda found: trials)
        code = doctor.main(["--json", str(file), "--out", str(Path.home() / "runs")])
    return code, page.getvalue(), json.loads(file.read_text())


def test_a_training_that_fails_is_one_line_of_the_page(diagnosis):
    code, page, _ = diagnosis
    assert code == 1
    assert "  !   broken           failed: optim.lr=fast: " in page and "Traceback" not in page


def test_two_processes_train_and_agree(diagnosis):
    _, page, facts = diagnosis
    outcome = facts["trainings"][1]
    assert (outcome["error"], outcome["epochs"], outcome["equal_ranks"]) == (None, 2, True)
    assert outcome["pictures_per_second"] > 0 and 0 < outcome["last_loss"] < 1
    assert f"loss {outcome['first_loss']:.3f} to {outcome['last_loss']:.3f}" in page


def test_the_facts_are_those_of_this_machine(diagnosis):
    facts = diagnosis[2]["machine"]
    assert (facts["error"], facts["torch"]) == (None, torch.__version__)
    assert (facts["usable_cores"], facts["open_files"] > 0) == (len(os.sched_getaffinity(0)), True)
    assert len(facts["gpus"]) == torch.cuda.device_count()


def test_the_page_and_the_facts_name_nobody(diagnosis):
    _, page, facts = diagnosis
    for text in (page, json.dumps(facts)):
        assert str(Path.home()) not in text and socket.gethostname() not in text


@pytest.fixture
def invented(monkeypatch):
    """Makes this machine CLUSTER with changes, whose every training ends in `outcome`."""

    def make(outcome=GOOD, **changes):
        monkeypatch.setattr(machine, "inspect_machine", lambda folder: replace(CLUSTER, **changes))
        monkeypatch.setattr(trial, "run_trial", lambda tried, seconds: replace(outcome, trial=tried))

    return make


def test_a_training_that_fails_ends_with_1_after_the_others(invented, capsys):
    invented(Outcome(ALONE, "ValueError: 3"))
    assert doctor.main([]) == 1
    assert capsys.readouterr().out.count("failed: ValueError: 3") == 3


def test_without_training_the_facts_alone_decide(invented, capsys):
    invented(Outcome(ALONE, "ValueError: 3"))
    assert doctor.main(["--no-training"]) == 0
    assert "pictures/s" not in capsys.readouterr().out
    invented(disk_free=0)
    assert doctor.main(["--no-training"]) == 1


def test_all_is_well_where_it_is(invented, capsys):
    invented()
    assert doctor.main([]) == 0
    assert capsys.readouterr().out.endswith("Training works here. All is well.\n")


@pytest.mark.parametrize("command", DOCTOR)
def test_the_command_of_the_readme_works(invented, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    invented()
    assert doctor.main(shlex.split(command)[3:]) == 0


def test_a_file_is_never_overwritten(invented, tmp_path, capsys):
    invented()
    (tmp_path / "facts.json").write_text("mine")
    assert doctor.main(["--json", str(tmp_path / "facts.json")]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "facts.json").read_text() == "mine"
