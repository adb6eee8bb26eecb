"""Checkpoints in the evaluator: colorizers are evaluated, classifiers of colored scenes measure them."""

from pathlib import Path

import pytest
import torch

from colorgan.imaging import images
from colorgan.systems.building import load_classifier
from tests.evaluating import (
    imperfect,
    means,
    photo,
    results,
    run_evaluation,
    trained,
    trained_classifier,
    write_pictures,
)

ENOUGH = 10  # pictures for a Fréchet distance


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Checkpoints of a colorizer, and of classifiers that see color and do not."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("runs")
    for i in range(8):
        photo(root / "data" / ("sea", "forest")[i % 2] / f"{i}.png", i)
    classifiers = {name: trained_classifier(root, root / "data", name == "judge") for name in ("judge", "gray")}
    return {"gan": trained(root, "gan"), **classifiers}


@pytest.fixture(autouse=True)
def pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pictures()


def test_a_checkpoint_has_the_name_of_its_experiment(runs):
    assert run_evaluation("--ckpt", runs["gan"], "--pred", "mine") == 0
    assert list(results()["systems"]) == ["gray", "mean color", "gan", "mine"]
    assert means("gan")["psnr"] < 100


def test_a_checkpoint_that_learned_from_the_evaluated_pictures_is_reported(tmp_path, capsys):
    learned = trained(tmp_path, "gan-folder", "data.root=true", "data.near_gray=0")
    assert run_evaluation("--ckpt", learned) == 0
    (note,) = results()["notes"]
    assert note == "gan-folder: trained on photographs of true; evaluate it on others"
    assert note in capsys.readouterr().err


def test_two_checkpoints_of_one_epoch_are_named_by_their_files(runs):
    assert run_evaluation("--ckpt", runs["gan"], runs["gan"].with_name("last.ckpt")) == 0
    assert list(results()["systems"])[2:] == ["gan/best", "gan/last"]


def test_one_checkpoint_twice_is_refused(runs, capsys):
    assert run_evaluation("--ckpt", runs["gan"], runs["gan"]) == 2
    assert capsys.readouterr().err.startswith("error: 'gan/best': 2 systems have this name")


@pytest.mark.parametrize(
    ("option", "run", "words"),
    [
        ("--ckpt", "judge", "a scene classifier: it colors nothing"),
        ("--classifier", "gan", "a colorizer; give a checkpoint of experiments/judge.yaml"),
        ("--classifier", "gray", "a classifier of gray images; give a checkpoint of experiments/judge.yaml"),
    ],
)
def test_a_checkpoint_in_the_wrong_place_is_one_line_and_2(runs, capsys, option, run, words):
    capsys.readouterr()
    assert run_evaluation(option, runs[run]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert words in captured.err


def test_a_classifier_finds_equal_pictures_perfect(runs):
    for i in range(5, ENOUGH):
        for folder in ("true", "mine"):
            photo(f"{folder}/sea/{i}.png", i)
    assert run_evaluation("--classifier", runs["judge"]) == 0
    assert {"top1", "fid_classifier"} <= means("mine").keys() and imperfect("mine") == {}
    assert means("gray")["fid_classifier"] > 0


def test_top1_is_how_often_the_classifier_is_right(runs):
    run_evaluation("--classifier", runs["judge"])
    classifier = load_classifier(runs["judge"])
    files = sorted(Path("mine").rglob("*.png"))
    with torch.inference_mode():
        logits = classifier(torch.stack([torch.from_numpy(images.thumbnail(file, 32)) for file in files]) / 255)
    said = [classifier.names[place] for place in logits.argmax(dim=1)]
    right = [name == file.parent.name for name, file in zip(said, files, strict=True)]
    assert means("mine")["top1"] == pytest.approx(100 * sum(right) / len(right))


def test_few_pictures_have_no_distance_of_features(runs):
    run_evaluation("--classifier", runs["judge"])
    assert results()["systems"]["mine"]["fid_classifier"]["why"] == f"5 pictures are too few; {ENOUGH} are needed"


def test_classes_that_the_classifier_does_not_know_have_no_top1(runs):
    Path("true/sea").rename("true/beach")
    Path("mine/sea").rename("mine/beach")
    assert run_evaluation("--classifier", runs["judge"]) == 0
    reason = results()["systems"]["mine"]["top1"]["why"]
    assert reason == "the classifier knows no class 'beach', but forest, sea: name sub-folders so"
    assert "top1" not in means("mine")
