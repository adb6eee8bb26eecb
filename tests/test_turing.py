"""`python -m colorgan.turing serve` and `report`."""

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from colorgan import serving, turing
from colorgan.study.store import Store
from tests.test_study_folder import a_study


def start(study):
    """A server in a process of its own on a free port, and its address."""
    command = [sys.executable, "-m", "colorgan.turing", "serve", str(study.root), "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # A group of its own, because Ctrl-C goes to a group and the tests are not to end with it.
    process = subprocess.Popen(command, cwd=Path(__file__).parent.parent, start_new_session=True, **pipes)
    return process, process.stdout.readline().split()[4]


@pytest.fixture(scope="module")
def survived(tmp_path_factory):
    """What a study holds after kill -9 amid 20 answers, and what its next server says until Ctrl-C."""
    study = a_study(tmp_path_factory.mktemp("turing") / "study")
    process, address = start(study)
    session = httpx2.post(f"{address}api/sessions", json={}).json()["session"]
    for trial in range(20):
        httpx2.post(f"{address}api/sessions/{session}/trials/{trial}", json={"fake": ("left", "right")[trial % 2]})
    process.kill()
    process.communicate()
    process, address = start(study)
    state = httpx2.get(f"{address}api/sessions/{session}").json()
    with closing(Store(study)) as store:
        answers = [trial.answer for trial in store.trials(session)]
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return {"next": state["next"], "answers": answers, "out": out, "err": err, "code": process.returncode}


def test_a_killed_server_has_lost_no_answer(survived):
    assert survived["answers"] == ["left", "right"] * 10 + [None] * 34


def test_its_next_server_goes_on_with_the_session(survived):
    assert survived["next"] == 20


def test_ctrl_c_ends_a_server_politely(survived):
    assert (survived["code"], survived["err"]) == (0, "")
    assert "ended; sessions so far: 1, in " in survived["out"]


def fails(capsys, *arguments):
    """The one line of a command that does not work."""
    assert turing.main([str(argument) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), err[:7]) == ("", 1, "error: ")
    return err


@pytest.mark.parametrize("command", ["serve", "report"])
def test_a_folder_that_is_no_study_is_one_line(tmp_path, capsys, command):
    assert "turing make" in fails(capsys, command, tmp_path)


def test_a_study_with_a_missing_picture_is_not_served(tmp_path, capsys):
    study = a_study(tmp_path / "study")
    study.fake_path(3, "scored", "gan").unlink()
    assert "gan/0003.png: missing" in fails(capsys, "serve", study.root)


def test_a_port_in_use_is_one_line(tmp_path, capsys):
    with serving.bind_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert f"--port {port}: " in fails(capsys, "serve", a_study(tmp_path / "study").root, "--port", port)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "COMMAND"),
        (["judge"], "judge"),
        (["serve", "x", "--port", "http"], "http is not a port"),
        (["serve", "x", "--port", "70000"], "70000 is not a port"),
        (["make", "x", "--pred", "."], "--data"),
        (["make", "x", "--data", "none", "--pred", "."], "none: no such file or folder"),
        (["make", "x", "--data", "."], "nothing to evaluate"),
        (["make", "x", "--data", ".", "--pred", ".", "--size", "0"], "0 is not a whole number above 0"),
        (["make", "x", "--data", ".", "--pred", ".", "--seed", "-1"], "-1 is not a whole number"),
    ],
)
def test_wrong_options_are_one_line(capsys, arguments, words):
    assert words in fails(capsys, *arguments)


def test_a_study_that_was_not_served_has_no_report(tmp_path, capsys):
    study = a_study(tmp_path / "study")
    assert "turing serve" in fails(capsys, "report", study.root)
    assert not study.answers_path.exists()


@pytest.fixture
def answered(tmp_path):
    """A study that one participant saw through."""
    study = a_study(tmp_path / "study")
    with closing(Store(study)) as store:
        session = store.create_session().id
        for number, trial in enumerate(store.trials(session)):
            store.record_answer(session, number, trial.fake)
    return study


def test_a_report_is_a_table(answered, capsys):
    assert turing.main(["report", str(answered.root)]) == 0
    row = capsys.readouterr().out.splitlines()[1]
    assert row.split() == "gan 1 0/40 0.0% 0.0% to 0.0% 0.0% (1 sessions)".split()


def test_a_report_is_json_if_asked(answered, tmp_path):
    assert turing.main(["report", str(answered.root), "--json", str(tmp_path / "report.json")]) == 0
    gan = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["systems"]["gan"]
    assert (gan["rate"], gan["interval"], len(gan["pictures"])) == (0, [0, 0], 40)


def test_a_report_is_written_over_no_file(answered, tmp_path, capsys):
    (tmp_path / "report.json").write_text("mine")
    assert "report.json" in fails(capsys, "report", answered.root, "--json", tmp_path / "report.json")
    assert (tmp_path / "report.json").read_text() == "mine"


def test_a_report_that_cannot_be_written_is_one_line(answered, capsys):
    assert turing.main(["report", str(answered.root), "--json", "/proc/report.json"]) == 2
    assert "--json /proc/report.json: cannot be written" in capsys.readouterr().err
