import json

import pytest

from colorgan import prior
from colorgan.codecs.bins import read_prior
from colorgan.colorizer import checkpoint
from colorgan.data import building


@pytest.fixture
def measure(folder, tmp_path):
    """Measures the prior of the folder; returns the exit code."""

    def run(*more, out=tmp_path / "prior.json", experiment="experiments/zhang2016.yaml"):
        data = ["data.name=folder", f"data.root={folder}", "data.size=32", "data.batch_size=5"]
        return prior.main([experiment, *data, "--out", str(out), *more])

    return run


def test_a_prior_is_measured_and_trained_with(measure, tiny_train, folder, tmp_path):
    assert measure() == 0
    file = tmp_path / "prior.json"
    measured = read_prior(file)
    assert measured.max() < 0.2 and json.loads(file.read_text())["bins"][0] == [-90.0, 50.0]
    more = ["data.name=folder", f"data.root={folder}", "pretrained=false", f"codec.prior={file}"]
    assert tiny_train(*more, experiment="experiments/zhang2016.yaml") == 0
    state = checkpoint.read(tmp_path / "run/last.ckpt")["state_dict"]
    assert state["model.codec.prior"].tolist() == pytest.approx(measured.tolist())


def test_training_measures_it_where_none_is_given(measure, tiny_train, folder, tmp_path):
    assert measure() == 0
    more = ["data.name=folder", f"data.root={folder}", "pretrained=false", "data.batch_size=5"]
    assert tiny_train(*more, experiment="experiments/zhang2016.yaml") == 0
    state = checkpoint.read(tmp_path / "run/last.ckpt")["state_dict"]
    assert state["model.codec.prior"].tolist() == pytest.approx(read_prior(tmp_path / "prior.json").tolist())


@pytest.mark.parametrize(
    "more, line",
    [(["--pictures", "0"], "0 is not a whole"), (["codec=regress"], "only codec=bins"), (["codec.sigm=3"], "sigma")],
)
def test_bad_usage_is_one_line(measure, capsys, tmp_path, more, line):
    assert measure(*more) == 2
    error = capsys.readouterr().err
    assert line in error and error.count("\n") == 1
    assert not (tmp_path / "prior.json").exists()


def test_a_folder_that_is_missing_is_made(measure, tmp_path):
    assert measure(out=tmp_path / "a/b/prior.json") == 0
    assert (tmp_path / "a/b/prior.json").is_file()


def test_a_place_that_cannot_be_written_is_said_before_measuring(measure, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(building, "build_data", lambda experiment: pytest.fail("measured"))
    (tmp_path / "file").write_text("")
    assert measure(out=tmp_path / "file/prior.json") == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/file/prior.json: ")


def test_a_file_that_is_there_is_kept(measure, capsys, tmp_path):
    (tmp_path / "prior.json").write_text("mine")
    assert measure() == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "prior.json").read_text() == "mine"
