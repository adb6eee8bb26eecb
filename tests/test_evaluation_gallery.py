"""Which pictures are shown and what of them is logged to W&B."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from colorgan import evaluate
from colorgan.evaluation import dashboard, gallery
from colorgan.evaluation.definitions import METRICS
from colorgan.evaluation.gallery import SHOWN, SIDE, choose
from colorgan.evaluation.judging import Judged
from colorgan.evaluation.painters import FLOORS, TRUTH
from tests.judging import judge, write_pictures
from tests.test_evaluation_judging import Copy, Noise


def judged(count, systems=("gan",)):
    """Pictures of random values."""
    rng = np.random.default_rng(0)
    metrics = ("ab_error", "ciede2000", "colorfulness")
    scores = {name: {key: rng.uniform(size=count) for key in metrics} for name in (*FLOORS, *systems, TRUTH)}
    return Judged(rows=list(range(count)), scores=scores)


@pytest.mark.parametrize("count", [2, SHOWN - 1, SHOWN, SHOWN + 1, 1000])
def test_so_many_pictures_are_shown_and_none_twice(count):
    chosen = choose(judged(count, [f"gan {i}" for i in range(9)]))
    assert len(set(chosen)) == len(chosen) == min(count, SHOWN)
    assert chosen == sorted(chosen) and set(chosen) <= set(range(count))


@pytest.mark.parametrize("metric", ["ab_error", "ciede2000", "colorfulness"])
def test_the_best_and_the_worst_of_each_system_are_shown(metric):
    some = judged(1000, ["gan", "unet"])
    for name in ("gan", "unet"):
        order = some.scores[name][metric].argsort()
        assert {*order[:4].tolist(), *order[-4:].tolist()} <= set(choose(some))


def test_the_others_are_spread_over_all_pictures():
    gaps = np.diff(choose(judged(1000)))
    assert gaps.max() < 3 * 1000 / SHOWN


def test_every_version_of_a_picture_is_shown():
    some, copy = judged(40), Copy("gan")
    some.rows = list(range(1, 41))  # the first picture was left out
    shown = gallery.paint(some, Noise(41), [copy], 16, [0, 7, 39])
    assert [picture.row for picture in shown] == [0, 7, 39] and copy.batches == [[1, 8, 40]]
    assert list(shown[1].pictures) == ["gan", TRUTH]
    assert torch.equal(shown[1].pictures[TRUTH], torch.from_numpy(Noise(41).load(8, 16)))


def test_pictures_are_shown_no_larger_than_need_be():
    (shown,) = gallery.paint(judged(1), Noise(1), [], 2 * SIDE, [0])
    assert shown.pictures[TRUTH].shape == (3, SIDE, SIDE) and shown.pictures[TRUTH].dtype == torch.uint8


# W&B


class Run:
    """Remembers what it is given."""

    def __init__(self):
        self.summary, self.logged = {}, {}

    def log(self, values):
        self.logged |= values

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


@pytest.fixture
def evaluation():
    """Of one system, with one metric missing."""
    value = {"mean": 5.0, "low": 4.0, "high": 6.0}
    systems = {"gan": {key: dict.fromkeys(value) if key == "lpips" else value for key in METRICS}}
    pictures = {name: torch.full((3, 8, 8), level, dtype=torch.uint8) for name, level in (("gan", 9), (TRUTH, 99))}
    return SimpleNamespace(
        results={"systems": systems}, names=["sea/0.png", "sea/1.png"], shown=[gallery.Shown(1, pictures)]
    )


def test_without_a_run_nothing_is_logged(evaluation, monkeypatch):
    monkeypatch.setattr(dashboard.wandb, "Table", None)
    dashboard.log_evaluation(evaluation)


def test_a_run_gets_the_table_the_gallery_and_the_means(evaluation, monkeypatch):
    run = Run()
    monkeypatch.setattr(dashboard.wandb, "run", run)
    dashboard.log_evaluation(evaluation)
    table, pictures = run.logged["evaluation/table"], run.logged["evaluation/gallery"]
    assert table.columns[:4] == ["system", "psnr", "psnr_low", "psnr_high"] and len(table.columns) == 1 + 3 * 19
    assert table.data[0][:4] == ["gan", 5, 4, 6] and table.data[0].count(None) == 3
    assert pictures.columns == ["picture", "gan", TRUTH] and pictures.data[0][0] == "sea/1.png"
    assert [np.asarray(version.image)[0, 0, 0] for version in pictures.data[0][1:]] == [9, 99]
    assert run.summary == {f"evaluation/gan/{key}": 5 for key in METRICS if key != "lpips"}


@pytest.mark.parametrize(
    ("mode", "known", "expected"),
    [(None, True, "online"), (None, False, "offline"), ("disabled", True, "disabled"), ("offline", True, "offline")],
)
def test_the_command_logs_online_only_where_a_key_is_known(tmp_path, monkeypatch, mode, known, expected):
    monkeypatch.chdir(tmp_path)
    write_pictures()
    if mode:
        monkeypatch.setenv("WANDB_MODE", mode)
    else:
        monkeypatch.delenv("WANDB_MODE", raising=False)
    run, asked = Run(), {}
    monkeypatch.setattr(evaluate.wandb, "login", lambda **_: known)
    monkeypatch.setattr(evaluate.wandb, "init", lambda **options: asked.update(options) or run)
    monkeypatch.setattr(dashboard.wandb, "run", run)
    assert judge("--wandb", "project") == 0
    assert (asked["mode"], asked["project"], asked["config"]["size"]) == (expected, "project", 32)
    assert "evaluation/gallery" in run.logged and Path("r.json").exists()
