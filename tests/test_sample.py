"""The sampler: what becomes of files and folders, whatever is in them; the model is a fake that tints."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from colorgan.colorizer import checkpoint, files
from colorgan.errors import UserError


def photo(path, level=100, size=(20, 10)):
    """Writes a gray photograph."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, level).save(path)
    return path


def outputs(folder):
    """The relative paths of all files in a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def level(path):
    """The green of a picture: what the fake model keeps of its input."""
    with Image.open(path) as image:
        return image.convert("RGB").getpixel((0, 0))[1]


def test_a_file_goes_by_its_name_at_its_size(run, tmp_path):
    photo(tmp_path / "in/x.png")
    assert run("in/x.png") == 0
    with Image.open(tmp_path / "colorized/x.png") as image:
        assert (image.size, image.getpixel((0, 0))) == ((20, 10), (255, 100, 100))


def test_a_folder_keeps_its_tree_and_names(run, tmp_path):
    for name in ("b.png", "a.JPG", "deep/er/c.tif"):
        photo(tmp_path / "in" / name)
    assert run("--out", "out", "in") == 0
    assert outputs(tmp_path / "out") == ["a.JPG", "b.png", "deep/er/c.tif"]


def test_hidden_and_other_files_of_a_folder_are_ignored(run, tmp_path):
    photo(tmp_path / "in/a.png")
    photo(tmp_path / "in/.b.png")
    photo(tmp_path / "in/.thumbnails/c.png")
    (tmp_path / "in/notes.txt").write_text("no photograph")
    assert run("in") == 0
    assert outputs(tmp_path / "colorized") == ["a.png"]


def test_jpeg_is_written_at_full_chroma(run, tmp_path):
    photo(tmp_path / "x.jpg")
    run("x.jpg")
    with Image.open(tmp_path / "colorized/x.jpg") as image:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


def test_alpha_and_exif_are_kept(run, tmp_path):
    exif = Image.Exif()
    exif[271] = "Leica"
    Image.new("LA", (8, 8), (100, 7)).save(tmp_path / "x.png", exif=exif)
    run("x.png")
    with Image.open(tmp_path / "colorized/x.png") as image:
        assert (image.getpixel((0, 0))[3], image.getexif()[271]) == (7, "Leica")


@pytest.mark.parametrize("name", ["png", "jpg", "PNG", "webp", "tif"])
def test_format(run, tmp_path, name):
    photo(tmp_path / "in/x.bmp")
    assert run("--format", name, "in") == 0
    assert outputs(tmp_path / "colorized") == [f"x.{name.lower()}"]


@pytest.mark.parametrize(("kind", "result"), [("JPEG", "scan.jpg"), ("GIF", "scan.png")])
def test_a_named_file_with_an_unknown_suffix_is_tried(run, tmp_path, kind, result):
    Image.new("L", (8, 8)).save(tmp_path / "scan.xyz", format=kind)
    assert run("scan.xyz") == 0
    assert outputs(tmp_path / "colorized") == [result]


def test_size_and_batch_size_reach_the_model(run, model, tmp_path):
    for i in range(5):
        photo(tmp_path / f"in/{i}.png")
    run("--size", 64, "--batch-size", 2, "in")
    assert (model.sizes, model.batches) == ([64] * 5, [2, 2, 1])


def test_photographs_of_one_shape_are_predicted_together(run, model, tmp_path):
    for i in range(6):
        photo(tmp_path / f"in/{i}.png", size=((20, 10), (10, 20))[i % 2])
    run("--batch-size", 3, "in")
    assert model.batches == [3, 3]


def test_big_photographs_are_not_held_together(run, model, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "WAITING_BYTES", 20 * 10)
    for i in range(5):
        photo(tmp_path / f"in/{i}.png")
    run("in")
    assert model.batches[:2] == [2, 2]


# What goes wrong


def broken(path):
    """Writes half a photograph."""
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (99, 99, 3), np.uint8)).save(buffer, "JPEG")
    path.write_bytes(buffer.getvalue()[:3000])


def test_a_broken_file_costs_itself_alone(run, tmp_path, capsys):
    photo(tmp_path / "in/a.png")
    broken(tmp_path / "in/b.jpg")
    photo(tmp_path / "in/c.png")
    assert run("in") == 1
    assert outputs(tmp_path / "colorized") == ["a.png", "c.png"]
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "b.jpg" in captured.err
    assert captured.out == "2 colored, 0 skipped, 1 failed: see colorized\n"


def test_an_output_that_cannot_be_written_costs_itself_alone(run, tmp_path, capsys):
    photo(tmp_path / "in/a/x.png")
    photo(tmp_path / "in/b.png")
    (tmp_path / "colorized").mkdir()
    (tmp_path / "colorized/a").write_text("a file where a folder should be")
    assert run("in") == 1
    assert (tmp_path / "colorized/b.png").exists()
    assert capsys.readouterr().err.startswith("colorized/a/x.png: cannot be written")


def test_a_folder_without_photographs_is_a_failure(run, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    photo(tmp_path / "x.png")
    assert run("empty", "x.png") == 1
    assert capsys.readouterr().err.startswith("empty: no photographs")
    assert (tmp_path / "colorized/x.png").exists()


def test_a_broken_link_costs_one_line(run, tmp_path, capsys):
    photo(tmp_path / "in/a.png")
    (tmp_path / "in/b.png").symlink_to("nowhere")
    assert run("in") == 1
    assert capsys.readouterr().err == "in/b.png: No such file or directory\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["missing.png"],
        [],
        ["--size", "0", "x.png"],
        ["--batch-size", "two", "x.png"],
        ["--format", "docx", "x.png"],
        ["--device", "abacus", "x.png"],
        ["--frobnicate", "x.png"],
        ["--out", "x.png", "x.png"],
    ],
    ids=" ".join,
)
def test_bad_usage_is_one_line_and_2(run, tmp_path, capsys, arguments):
    photo(tmp_path / "x.png")
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)


def test_a_bad_checkpoint_is_one_line_and_2(run, tmp_path, capsys, monkeypatch):
    def load(path, device):
        raise UserError(f"{path}: no such checkpoint")

    monkeypatch.setattr(checkpoint, "load", load)
    photo(tmp_path / "x.png")
    assert run("x.png") == 2
    assert capsys.readouterr().err == "error: x.ckpt: no such checkpoint\n"
    assert not (tmp_path / "colorized").exists()


def test_an_absent_device_is_one_line_and_2(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    photo(tmp_path / "x.png")
    assert run("--device", "cuda", "x.png") == 2
    assert capsys.readouterr().err.startswith("error: --device cuda: ")


# What is there already


@pytest.mark.parametrize(
    "words, options",
    [
        ([], ("guided", 1.0)),
        (["--upsample", "bilinear"], ("bilinear", 1.0)),
        (["--saturation", "1.3"], ("guided", 1.3)),
    ],
)
def test_how_color_is_laid_on_is_the_models_to_know(run, model, tmp_path, words, options):
    photo(tmp_path / "a.png")
    assert run(*words, "a.png") == 0
    assert model.options == [options]


@pytest.mark.parametrize("wrong", ["-1", "much", "nan", "inf"])
def test_a_saturation_that_is_none_is_one_line(run, tmp_path, capsys, wrong):
    photo(tmp_path / "a.png")
    assert run(f"--saturation={wrong}", "a.png") == 2
    assert "is not a number, 0 or above" in capsys.readouterr().err
