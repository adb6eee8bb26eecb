"""PSNR against the number of hints."""

import json

import pytest
import torch

from colorgan import evaluate
from colorgan.color import split
from colorgan.evaluation import hinting, predictors
from tests.evaluating import photo
from tests.hinting import Obedient, obedient


def test_a_revealed_color_is_the_mean_of_a_square_of_six_pixels():
    picture = torch.full((3, 20, 30), 0.2)
    picture[:, 7:13, 9:15] = torch.tensor([0.8, 0.3, 0.1]).view(3, 1, 1)
    hint = hinting.reveal(picture, 12, 10)
    assert hint.color == (204, 76, 26)
    assert (hint.x, hint.y, hint.radius) == (11.5, 9.5, 2.5)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (29, 19), (29, 0)])
def test_a_square_at_the_border_is_inside(x, y):
    hint = hinting.reveal(torch.rand(3, 20, 30), x, y)
    assert 2.5 <= hint.x <= 26.5
    assert 2.5 <= hint.y <= 16.5


def test_more_hints_are_better_where_they_are_obeyed():
    pictures = torch.rand(2, 3, 1, 1).expand(-1, -1, 48, 48)
    curve = hinting.hint_curve(obedient(48), pictures, "random", [0, 1])
    assert (curve.diff(dim=1) > -0.01).all()
    assert (curve[:, -1] > curve[:, 0] + 3).all()


def test_places_depend_on_the_picture_alone():
    pictures = torch.rand(3, 3, 48, 48)
    together = hinting.hint_curve(obedient(48), pictures, "random", [5, 6, 7])
    alone = hinting.hint_curve(obedient(48), pictures[1:2], "random", [6])
    assert torch.allclose(together[1:2], alone)


def test_places_are_normal_around_the_center():
    generator = torch.Generator().manual_seed(0)
    places = torch.tensor([hinting._draw(256, generator) for _ in range(2000)])
    assert torch.allclose(places.mean(0), torch.tensor([128.0, 128.0]), atol=4)
    assert torch.allclose(places.std(0), torch.tensor([62.0, 62.0]), atol=4)  # 64, but for what is outside


def test_suggested_places_are_better_than_none():
    picture = torch.full((1, 3, 48, 48), 0.3)
    picture[:, :, 10:20, 20:40] = torch.tensor([0.9, 0.5, 0.4]).view(1, 3, 1, 1)
    curve = hinting.hint_curve(obedient(48), picture, "suggested", [0])[0]
    assert len(curve) == 11
    assert curve[3] > curve[0]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the command on two photographs, with a model that obeys."""
    monkeypatch.chdir(tmp_path)
    for i in range(2):
        photo(tmp_path / "data" / f"{i}.png", i)

    def make(checkpoints, folders, dataset, device):
        return [predictors.ModelPredictor("obedient", obedient(), {"name": "folder", "root": "data"})]

    monkeypatch.setattr(predictors, "make_predictors", make)
    (tmp_path / "x.ckpt").touch()
    return lambda *more: evaluate.main(["--data", "data", "--ckpt", "x.ckpt", "--size", "48", *more])


def test_the_command_prints_and_writes_the_curve(run, tmp_path, capsys):
    assert run("--hints", "random", "--json", "out.json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("PSNR in dB of 2 pictures of data at 48 px")
    assert [line.split()[0] for line in lines[1:-1]] == ["hints", *map(str, hinting.NUMBERS["random"])]
    stored = json.loads((tmp_path / "out.json").read_text())
    assert set(stored["psnr"]["obedient"]) == set(map(str, hinting.NUMBERS["random"]))
    assert set(stored["psnr"]["obedient"]["0"]) == {"mean", "low", "high"}


def test_without_hints_it_is_the_psnr_of_the_other_table(run, tmp_path):
    assert run("--hints", "random", "--json", "curve.json") == 0
    assert run("--skip", "lpips", "--skip", "fid", "--json", "table.json") == 0
    curve, table = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("curve", "table"))
    assert curve["psnr"]["obedient"]["0"] == pytest.approx(table["systems"]["obedient"]["psnr"], abs=1e-6)


def test_a_model_that_learned_from_the_pictures_is_reported(run, capsys):
    assert run("--hints", "random") == 0
    assert capsys.readouterr().err == "obedient: trained on photographs of data; evaluate it on others\n"


def test_a_model_that_takes_no_hints_is_one_line_before_anything_is_measured(run, capsys, monkeypatch):
    monkeypatch.setattr(Obedient, "takes_hints", False)
    monkeypatch.setattr(Obedient, "forward", lambda *_: pytest.fail("it was measured"))
    assert run("--hints", "random") == 2
    assert capsys.readouterr().err.startswith("error: this model takes no hints")


@pytest.mark.parametrize("option", [("--csv", "x.csv"), ("--html", "x.html"), ("--wandb", "p"), ("--pred", "data")])
def test_what_has_no_meaning_for_hints_is_refused(run, option, capsys):
    assert run("--hints", "random", *option) == 2
    assert capsys.readouterr().err.startswith("error: --hints: ")


def test_pictures_that_cannot_be_read_are_named(run, tmp_path, capsys):
    (tmp_path / "data" / "0.png").write_bytes(b"no picture")
    assert run("--hints", "random") == 0
    out, err = capsys.readouterr()
    assert "data/0.png" in err
    assert "of 1 pictures" in out


def test_color_is_that_of_lab():
    hint = hinting.reveal(torch.tensor([0.8, 0.3, 0.1]).view(3, 1, 1).expand(3, 12, 12), 6, 6)
    _, ab = split(torch.tensor(hint.color).view(1, 3, 1, 1) / 255)
    _, true = split(torch.tensor([0.8, 0.3, 0.1]).view(1, 3, 1, 1))
    assert torch.allclose(ab, true, atol=0.5)
