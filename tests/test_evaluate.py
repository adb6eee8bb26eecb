"""The evaluator as a command: what it measures, and what it leaves out."""

import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from colorgan.color import split
from colorgan.imaging import images
from colorgan.metrics.metric import Metric
from colorgan.metrics.registry import METRICS
from tests.evaluating import COUNT, imperfect, photo, results, run_evaluation, write_pictures


@pytest.fixture(autouse=True)
def pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pictures()


def test_pictures_that_equal_the_truth_are_perfect():
    assert run_evaluation() == 0
    assert imperfect("mine") == {}


def test_the_pixels_of_big_jpegs_as_png_are_perfect():
    shutil.rmtree("mine")
    for path in Path("true").rglob("*.png"):
        jpeg = photo(path.with_suffix(".jpg"), int(path.stem), (240, 200))
        path.unlink()
        target = "mine" / path.relative_to("true")
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(jpeg) as image:
            image.save(target)
    assert run_evaluation() == 0
    assert imperfect("mine") == {}


def test_pictures_of_the_same_aspect_may_have_another_size(capsys):
    for path in Path("true").rglob("*.png"):
        photo("mine" / path.relative_to("true"), int(path.stem), (120, 100))
    assert run_evaluation() == 0
    assert capsys.readouterr().err == ""
    assert results()["systems"]["mine"]["ab_error"]["mean"] < 3


def test_the_auc_of_gray_follows_from_the_chroma():
    assert run_evaluation() == 0
    pictures = torch.stack([torch.from_numpy(images.thumbnail(path, 32)) for path in Path("true").rglob("*.png")])
    chroma = split(pictures / 255)[1].norm(dim=1)
    expected = ((151 - chroma.ceil()) / 151).clamp(min=0).mean().item()
    assert results()["systems"]["gray"]["auc"]["mean"] == pytest.approx(100 * expected, abs=0.4)  # at 8 bits


def test_the_baselines_stand_first():
    shutil.copytree("mine", "a")
    assert run_evaluation("--pred", "mine", "a") == 0
    assert list(results()["systems"]) == ["gray", "mean color", "mine", "a"]


def test_the_mean_color_is_that_of_all_pixels():
    run_evaluation()
    pictures = torch.stack([torch.from_numpy(images.thumbnail(path, 32)) for path in Path("true").rglob("*.png")])
    expected = split(pictures / 255)[1].mean(dim=(0, 2, 3)).tolist()
    assert results()["data"]["mean_ab"] == pytest.approx(expected, abs=2e-3)


def test_of_a_split_the_validation_pictures_are_evaluated():
    for half in ("train", "val"):
        shutil.copytree("true", f"both/{half}")
    photo("both/val/new.png", 99)
    photo("mine/new.png", 99)
    assert run_evaluation(data="both") == 0
    assert results()["data"]["pictures"] == COUNT + 1


def test_all_results_are_written():
    assert run_evaluation("--csv", "new/r.csv", "--html", "r.html") == 0
    for name in ("r.json", "new/r.csv", "r.html"):
        with open(name, encoding="utf-8") as file:
            assert "mean color" in file.read()


# What is left out


def lost(path):
    path.unlink()


def cropped(path):
    with Image.open(path) as image:
        image.crop((0, 0, 40, 40)).save(path)


def half(path):
    path.write_bytes(path.read_bytes()[:300])


@pytest.mark.parametrize(
    ("harm", "folder", "words"),
    [
        (lost, "mine", "mine/sea/2: missing"),
        (cropped, "mine", "mine/sea/2.png: 40 x 40 pixels, and its truth 48 x 40: another aspect"),
        (half, "mine", "mine/sea/2.png: truncated"),
        (half, "true", "true/sea/2.png: truncated"),
    ],
    ids=["missing", "cropped", "broken", "broken truth"],
)
def test_a_picture_that_is_of_no_use_costs_itself_alone(capsys, harm, folder, words):
    shutil.copytree("mine", "whole")
    harm(Path(folder, "sea/2.png"))
    assert run_evaluation("--pred", "mine", "whole") == 0
    captured = capsys.readouterr()
    assert captured.err.startswith(words) and captured.err.count("\n") == 1
    assert "4 pictures" in captured.out and "1 of 5 left out" in captured.out
    assert (results()["data"]["pictures"], results()["notes"]) == (4, captured.err.splitlines())
    assert imperfect("mine") == imperfect("whole") == {}


def swap(one, other):
    """Exchanges two files."""
    shutil.move(one, "x")
    shutil.move(other, one)
    shutil.move("x", other)


@pytest.mark.parametrize("pair", [("sea/0.png", "sea/2.png"), ("sea/2.png", "sea/4.png")])
def test_two_shuffled_names_cost_two_pictures(capsys, monkeypatch, pair):
    monkeypatch.setattr("colorgan.evaluation.dataset.BATCH_SIZE", 2)  # the last has one picture
    swap(*(f"mine/{name}" for name in pair))
    assert run_evaluation() == 0
    errors = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[0] for line in errors] == [f"mine/{name}" for name in pair]
    assert all("shuffled" in line for line in errors)
    assert results()["data"]["pictures"] == COUNT - 2 and imperfect("mine") == {}


def test_a_metric_needs_one_entry_of_the_table(monkeypatch):
    def largest(pictures, truth):
        return (pictures.rgb - truth.rgb).abs().amax(dim=(1, 2, 3))

    definition = "Largest error of a channel, 0 to 1."
    metric = Metric(title="largest error", better="lower", perfect=0.0, definition=definition, measure=largest)
    monkeypatch.setitem(METRICS, "largest", metric)
    assert run_evaluation("--csv", "r.csv", "--html", "r.html") == 0
    assert imperfect("mine") == {} and 0 < results()["systems"]["gray"]["largest"]["mean"] <= 1
    assert Path("r.csv").read_text().splitlines()[0].endswith(",largest,largest_low,largest_high")
    assert definition in Path("r.html").read_text()
