"""No input and no output of the user's is ever lost."""

import os

import pytest

from tests.test_sample import level, outputs, photo


def test_existing_outputs_are_skipped(run, tmp_path, capsys):
    photo(tmp_path / "in/a.png")
    photo(tmp_path / "in/b.png")
    photo(tmp_path / "colorized/a.png", level=7)
    assert run("in") == 0
    assert level(tmp_path / "colorized/a.png") == 7
    assert capsys.readouterr().out.startswith(
        "1 colored, 1 skipped (they exist already: --overwrite replaces them), 0 failed"
    )


def test_overwrite_replaces_outputs(run, tmp_path):
    photo(tmp_path / "in/a.png")
    photo(tmp_path / "colorized/a.png", level=7)
    assert run("--overwrite", "in") == 0
    assert level(tmp_path / "colorized/a.png") == 100


@pytest.mark.parametrize("options", [[], ["--overwrite"]], ids=" ".join)
@pytest.mark.parametrize("link", ["same folder", "folder link", "file link", "hard link"])
def test_an_input_is_never_overwritten(run, tmp_path, capsys, options, link):
    original = photo(tmp_path / "in/a.png")
    before = original.read_bytes()
    out = tmp_path / ("in" if link == "same folder" else "out")
    if link == "folder link":
        out.symlink_to(tmp_path / "in")
    elif link != "same folder":
        out.mkdir()
        (os.symlink if link == "file link" else os.link)(original, out / "a.png")
    assert run(*options, "--out", out, "in") == 1
    assert original.read_bytes() == before
    assert (out / "a.png").read_bytes() == before
    assert "is an input" in capsys.readouterr().err


def test_another_format_beside_the_inputs_is_fine_unless_it_is_an_input(run, tmp_path):
    photo(tmp_path / "in/a.png")
    before = photo(tmp_path / "in/b.bmp").read_bytes()
    photo(tmp_path / "in/b.png", level=50)
    assert run("--overwrite", "--out", "in", "--format", "bmp", "in") == 1
    assert outputs(tmp_path / "in") == ["a.bmp", "a.png", "b-2.bmp", "b.bmp", "b.png"]
    assert (tmp_path / "in/b.bmp").read_bytes() == before


@pytest.mark.parametrize("arguments", [("a/x.png", "b/x.png"), ("a", "b")], ids=["files", "folders"])
def test_colliding_names_are_both_kept(run, tmp_path, capsys, arguments):
    photo(tmp_path / "a/x.png", level=10)
    photo(tmp_path / "b/x.png", level=20)
    assert run(*arguments) == 0
    found = {name: level(tmp_path / "colorized" / name) for name in outputs(tmp_path / "colorized")}
    assert found == {"x.png": 10, "x-2.png": 20}
    assert capsys.readouterr().err.startswith("b/x.png: goes to colorized/x-2.png")


def test_formats_that_fall_together_are_both_kept(run, tmp_path):
    photo(tmp_path / "in/x.bmp", level=10)
    photo(tmp_path / "in/x.png", level=20)
    photo(tmp_path / "in/x-2.png", level=30)
    assert run("--format", "png", "in") == 0
    found = {name: level(tmp_path / "colorized" / name) for name in outputs(tmp_path / "colorized")}
    assert sorted(found.values()) == [10, 20, 30]


def test_one_file_named_twice_is_colored_once(run, tmp_path, capsys):
    photo(tmp_path / "in/x.png")
    assert run("in/x.png", tmp_path / "in/x.png", "in") == 0
    assert capsys.readouterr().out.startswith("1 colored")


def test_outputs_inside_an_input_folder_are_not_colored_again(run, tmp_path, capsys):
    photo(tmp_path / "x.png")
    assert run(".") == 0
    assert run(".") == 0
    assert outputs(tmp_path) == ["colorized/x.png", "x.png"]
    assert capsys.readouterr().err == "colorized: left out of ., because it is where the outputs go\n"
