"""What the evaluator refuses: one clear line, 2, and nothing is written."""

import shutil
from pathlib import Path

import pytest

from colorgan import evaluate
from tests.evaluating import COUNT, photo, run_evaluation, write_pictures


@pytest.fixture(autouse=True)
def pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pictures()


def half(path):
    path.write_bytes(path.read_bytes()[:300])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "nowhere"], "nowhere: no such file or folder"),
        (["--pred", "nowhere"], "nowhere: no such file or folder"),
        (["--pred", "mine/sea/0.png"], "mine/sea/0.png: no such folder of photographs"),
        (["--pred", "empty"], "empty: no photographs"),
        (["--data", "empty"], "empty: no photographs"),
        (["--pred", "mine", "copy/mine"], "'mine': 2 systems have this name"),
        (["--pred", "gray"], "'gray': 2 systems have this name"),
        (["--pred", "mean color"], "'mean color': 2 systems have this name"),
        (["--pred", "truth"], "'truth': 2 systems have this name"),
        (
            ["--pred", "mine/sea"],
            "mine/sea: none of its 3 pictures has a name of true (its first: 0; the truth's: forest/1)",
        ),
        (["--pred", "shuffled"], "'shuffled': 4 or more of 5 pictures are not what they are named: shuffled/"),
        (["--ckpt", "mine/sea/0.png"], "mine/sea/0.png: not a checkpoint"),
        (["--classifier", "mine/sea/0.png"], "mine/sea/0.png: not a checkpoint"),
        (["--json", "old"], "old: exists already"),
        (["--html", "old/r.html"], "old/r.html: "),
        (["--csv", "x", "--html", "x"], "x: --json, --csv and --html need different files"),
        (["--size", "16"], "--size 16: must be at least 32"),
        (["--device", "abacus"], "argument --device: invalid choice"),
        (["--skip", "psnr"], "argument --skip: invalid choice"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_evaluated_is_one_line_and_2(capsys, arguments, words):
    for name in ("copy/mine", "gray", "mean color", "truth"):
        shutil.copytree("mine", name)
    Path("empty").mkdir()
    Path("old").write_text("precious")
    for i in range(COUNT):
        photo(f"shuffled/{('sea', 'forest')[i % 2]}/{i}.png", (i + 1) % COUNT)
    assert run_evaluation(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert words in captured.err
    assert Path("old").read_text() == "precious"
    assert not Path("r.json").exists()


def test_nothing_to_evaluate_is_one_line_and_2(capsys):
    assert evaluate.main(["--data", "true"]) == 2
    assert capsys.readouterr().err.startswith("error: nothing to evaluate: give --ckpt CKPT or --pred DIR")


@pytest.mark.parametrize("folder", ["mine", "true"])
def test_a_single_picture_is_not_evaluated(capsys, folder):
    for path in sorted(Path(folder).rglob("*.png"))[1:]:
        half(path)
    assert run_evaluation() == 2
    assert "an evaluation needs two or more; the first problem: " in capsys.readouterr().err


def test_results_that_cannot_be_written_are_one_line(capsys, monkeypatch):
    def full_disk(*_, **__):
        raise OSError(28, "No space left on device", "r.json")

    monkeypatch.setattr("colorgan.evaluation.results.write_atomically", full_disk)
    assert run_evaluation() == 2
    assert capsys.readouterr().err == "error: r.json: cannot be written (No space left on device)\n"


def test_an_interruption_is_one_line_and_130(capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("colorgan.evaluation.evaluation.evaluate", interrupt)
    assert run_evaluation() == 130
    assert capsys.readouterr().err.count("\n") == 1
