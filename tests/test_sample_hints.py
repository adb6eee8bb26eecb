"""`colorgan.sample` with hints, and the hints that it suggests."""

import json

import pytest
from PIL import Image

from colorgan import sample
from colorgan.colorizer import checkpoint
from tests.hinting import Obedient, obedient


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the command in tmp_path with a model that obeys hints: run(*arguments) -> exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoint, "load", lambda path, device: obedient())
    for name in ("a.png", "b.png"):
        Image.new("L", (48, 32), 120).save(name)
    return lambda *arguments: sample.main(["--ckpt", "x.ckpt", "--device", "cpu", *map(str, arguments)])


def chroma(path, x, y):
    with Image.open(path) as image:
        pixel = image.convert("RGB").getpixel((x, y))
    return max(pixel) - min(pixel)


def test_a_photograph_is_colored_by_its_hints(run, tmp_path):
    (tmp_path / "hints.json").write_text(json.dumps({"b.png": [{"x": 24, "y": 16, "color": "#ff0000", "radius": 9}]}))
    assert run("--hints", "hints.json", "a.png", "b.png") == 0
    assert [chroma(f"colorized/{name}", 24, 16) > 50 for name in ("a.png", "b.png")] == [False, True]


def test_a_hint_outside_of_its_photograph_spares_the_others(run, tmp_path, capsys):
    (tmp_path / "hints.json").write_text(json.dumps({"b.png": [{"x": 24, "y": 99, "color": "#ff0000"}]}))
    assert run("--hints", "hints.json", "a.png", "b.png") == 1
    assert "b.png: not written: a hint at x=24, y=99 is outside of the picture of 48x32" in capsys.readouterr().err
    assert (tmp_path / "colorized/a.png").exists()


def test_wrong_hints_are_one_line_and_nothing_is_colored(run, tmp_path, capsys):
    (tmp_path / "hints.json").write_text("{}}")
    assert run("--hints", "hints.json", "a.png") == 2
    assert capsys.readouterr().err.startswith("error: hints.json: not a readable JSON file")
    assert not (tmp_path / "colorized").exists()


@pytest.mark.parametrize("options", [("--hints", "hints.json"), ("--suggest", "2")])
def test_a_model_that_takes_no_hints_is_one_line_and_nothing_is_colored(run, tmp_path, capsys, monkeypatch, options):
    monkeypatch.setattr(Obedient, "takes_hints", False)
    (tmp_path / "hints.json").write_text("[]")
    assert run(*options, "a.png") == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert captured.err.startswith("error: this model takes no hints")
    assert not (tmp_path / "colorized").exists()


def test_hints_of_a_photograph_that_is_colored_already_are_no_mistake(run, tmp_path, capsys):
    run("a.png")
    (tmp_path / "hints.json").write_text(json.dumps({"a.png": [{"x": 24, "y": 16, "color": "#ff0000"}]}))
    assert run("--hints", "hints.json", "a.png") == 0
    assert "1 skipped (they exist already: --overwrite replaces them)" in capsys.readouterr().out


def test_places_are_those_of_the_upright_photograph(run, tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # to be turned by a quarter
    Image.new("L", (48, 32), 120).save("turned.png", exif=exif)
    (tmp_path / "hints.json").write_text(json.dumps([{"x": 8, "y": 40, "color": "#ff0000", "radius": 4}]))
    assert run("--hints", "hints.json", "turned.png") == 0
    assert chroma("colorized/turned.png", 8, 40) > 50 > chroma("colorized/turned.png", 24, 8)


def test_suggestions_are_hints_that_can_be_given_back(run, tmp_path, capsys):
    assert run("--suggest", 2, "a.png", "b.png") == 0
    text = capsys.readouterr().out
    assert {name: len(hints) for name, hints in json.loads(text).items()} == {"a.png": 2, "b.png": 2}
    assert not (tmp_path / "colorized").exists()
    (tmp_path / "hints.json").write_text(text)
    assert run("--hints", "hints.json", "a.png", "b.png") == 0


def test_suggestions_come_after_the_hints_that_are_known(run, tmp_path, capsys):
    known = {"x": 3, "y": 4, "color": "#ff0000", "radius": 2}
    (tmp_path / "hints.json").write_text(json.dumps([known]))
    run("--hints", "hints.json", "--suggest", 1, "a.png")
    first, second = json.loads(capsys.readouterr().out)["a.png"]
    assert first == known
    assert second["color"] != known["color"]


def test_a_photograph_that_cannot_be_read_spares_the_others(run, tmp_path, capsys):
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert run("--suggest", 1, "a.png", "b.png") == 1
    out, err = capsys.readouterr()
    assert list(json.loads(out)) == ["b.png"]
    assert err.startswith("a.png: ")


def test_a_photograph_that_is_colored_already_has_suggestions_too(run, capsys):
    run("a.png")
    capsys.readouterr()
    run("--suggest", 1, "a.png")
    assert list(json.loads(capsys.readouterr().out)) == ["a.png"]
