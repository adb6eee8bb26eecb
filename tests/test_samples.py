"""Several answers for one picture: `colorgan.sample --samples N --seed S --decode HOW`."""

import pytest
import torch

from colorgan import load, sample
from colorgan.codecs.axis_bins import AxisBins
from tests.test_sample import level, outputs, photo


@pytest.fixture
def several(model):
    """The model of `run`, with a codec that predicts a distribution; its seed tells how bright the picture becomes."""
    model.codec = AxisBins()
    model.predict_colors = lambda lightness, hints=None: [model.codec.seed] * len(lightness)
    model.fill = lambda picture, seed, *options: torch.full_like(picture.expand(3, -1, -1), seed)
    return model


def levels(folder):
    return {name: level(folder / name) for name in outputs(folder)}


def test_samples_are_numbered_files_of_seeds_of_their_own(run, several, tmp_path):
    photo(tmp_path / "a.png")
    assert run("--samples", 3, "--seed", 40, "a.png") == 0
    assert levels(tmp_path / "colorized") == {"a-1.png": 40, "a-2.png": 41, "a-3.png": 42}


def test_one_sample_keeps_the_name(run, several, tmp_path):
    photo(tmp_path / "a.png")
    assert run("--decode", "sample", "--seed", 41, "a.png") == 0
    assert levels(tmp_path / "colorized") == {"a.png": 41}


def test_a_seed_alone_draws_a_sample(run, several, tmp_path):
    photo(tmp_path / "a.png")
    assert run("--seed", 9, "a.png") == 0
    assert several.codec.decoding == "sample"
    assert levels(tmp_path / "colorized") == {"a.png": 9}


def test_without_options_the_model_decodes_as_it_was_trained_to(run, several, tmp_path):
    several.codec.set_decoding("mean", seed=77)
    photo(tmp_path / "a.png")
    assert run("a.png") == 0
    assert (several.codec.decoding, levels(tmp_path / "colorized")) == ("mean", {"a.png": 77})


def test_samples_that_are_there_are_skipped(run, several, tmp_path, capsys):
    photo(tmp_path / "a.png")
    photo(tmp_path / "colorized/a-2.png", level=7)
    assert run("--samples", 3, "a.png") == 0
    assert level(tmp_path / "colorized/a-2.png") == 7
    assert capsys.readouterr().out.startswith("2 colored, 1 skipped")


def test_samples_of_inputs_with_one_name_are_all_kept(run, several, tmp_path):
    for name in ("x/a.png", "y/a.png"):
        photo(tmp_path / name)
    assert run("--samples", 2, "x/a.png", "y/a.png") == 0
    assert len(outputs(tmp_path / "colorized")) == 4


@pytest.mark.parametrize("options", [["--samples", 2], ["--seed", 0]])
def test_another_decoding_has_one_answer(run, several, tmp_path, capsys, options):
    photo(tmp_path / "a.png")
    assert run(*options, "--decode", "mean", "a.png") == 2
    assert "--decode mean gives only one version" in capsys.readouterr().err


def test_an_unknown_decoding_lists_the_known_ones(run, several, tmp_path, capsys):
    photo(tmp_path / "a.png")
    assert run("--decode", "modus", "a.png") == 2
    assert "there are mean, mode, sample" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--samples", 2], ["--decode", "sample"], ["--seed", 3]])
def test_a_model_that_predicts_one_color_says_so(run, model, tmp_path, capsys, options):
    model.codec = object()
    photo(tmp_path / "a.png")
    assert run(*options, "a.png") == 2
    assert "one color, not a distribution" in capsys.readouterr().err


@pytest.mark.parametrize("experiment", ["zhang2016", "larsson2016", "cnn-classification"])
def test_a_trained_distribution_gives_several_colors(experiment, tiny_train, folder, tmp_path, monkeypatch):
    data = ["data.name=folder", f"data.root={folder}", "data.near_gray=0", "pretrained=false"]
    assert tiny_train(*data, experiment=f"experiments/{experiment}.yaml") == 0
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "a.png")
    assert sample.main(["--ckpt", "run/last.ckpt", "--device", "cpu", "--samples", "2", "a.png"]) == 0
    first, second = ((tmp_path / f"colorized/a-{n}.png").read_bytes() for n in (1, 2))
    assert first != second
    assert load("run/last.ckpt").codec.decoding != "sample"
