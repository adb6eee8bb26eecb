"""Which pictures are shown and what of them is logged to W&B."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from colorgan.evaluation.evaluation import evaluate, log_to_wandb
from colorgan.evaluation.gallery import EXTREME_METRICS, MAX_ROWS, MAX_SIDE, GalleryRow, choose_rows, make_gallery
from colorgan.evaluation.predictors import BASELINES, TRUTH
from colorgan.evaluation.scoring import Scores
from colorgan.metrics.networks import FeatureNetworks
from colorgan.metrics.registry import METRICS
from tests.evaluating import run_evaluation, write_pictures
from tests.test_evaluation_scoring import Copy, Noise


def scored(count, systems=("gan",)):
    """Pictures of random values."""
    rng = np.random.default_rng(0)
    measures = [METRICS[key].measure for key in EXTREME_METRICS]
    values = {name: {key: rng.uniform(size=count) for key in measures} for name in (*BASELINES, *systems, TRUTH)}
    return Scores(list(range(count)), values)


@pytest.mark.parametrize("count", [2, MAX_ROWS - 1, MAX_ROWS, MAX_ROWS + 1, 1000])
def test_so_many_pictures_are_shown_and_none_twice(count):
    chosen = choose_rows(scored(count, [f"gan {i}" for i in range(9)]))
    assert len(set(chosen)) == len(chosen) == min(count, MAX_ROWS)
    assert chosen == sorted(chosen) and set(chosen) <= set(range(count))


@pytest.mark.parametrize("metric", EXTREME_METRICS)
def test_the_best_and_the_worst_of_each_system_are_shown(metric):
    some = scored(1000, ["gan", "unet"])
    for name in ("gan", "unet"):
        order = some.per_picture()[name][metric].argsort()
        assert {*order[:4].tolist(), *order[-4:].tolist()} <= set(choose_rows(some))


def test_the_others_are_spread_over_all_pictures():
    gaps = np.diff(choose_rows(scored(1000)))
    assert gaps.max() < 3 * 1000 / MAX_ROWS


def test_every_version_of_a_picture_is_shown():
    some, copy = scored(40), Copy("gan")
    some.indices = list(range(1, 41))  # the first picture was left out
    shown = make_gallery(some, Noise(41), [copy], 16, [0, 7, 39])
    assert [row.position for row in shown] == [0, 7, 39] and copy.batches == [[1, 8, 40]]
    assert list(shown[1].pictures) == ["gan", TRUTH]
    assert torch.equal(shown[1].pictures[TRUTH], torch.from_numpy(Noise(41).load(8, 16)))


def test_pictures_are_colored_again_only_when_the_gallery_is_asked_for():
    copy, networks = Copy(), FeatureNetworks(None, ["sea"], ["lpips", "fid"])
    found = evaluate(Noise(3), "noise", [copy], networks, 16, lambda done: None)
    assert copy.batches == [[0, 1, 2]]
    assert len(found.gallery) == len(found.gallery) == 3 and copy.batches == [[0, 1, 2]] * 2


def test_pictures_are_shown_no_larger_than_need_be():
    (shown,) = make_gallery(scored(1), Noise(1), [], 2 * MAX_SIDE, [0])
    assert shown.pictures[TRUTH].shape == (3, MAX_SIDE, MAX_SIDE) and shown.pictures[TRUTH].dtype == torch.uint8


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
        results={"data": {}, "systems": systems}, names=["sea/0.png", "sea/1.png"], gallery=[GalleryRow(1, pictures)]
    )


def test_a_run_gets_the_table_the_gallery_and_the_means(evaluation, monkeypatch):
    run = Run()
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setattr("wandb.init", lambda **options: run)
    log_to_wandb(evaluation, "project")
    table, pictures = run.logged["evaluation/table"], run.logged["evaluation/gallery"]
    assert table.columns[:4] == ["system", "psnr", "psnr_low", "psnr_high"] and len(table.columns) == 1 + 3 * len(
        METRICS
    )
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
    monkeypatch.setattr("wandb.login", lambda **_: known)
    monkeypatch.setattr("wandb.init", lambda **options: asked.update(options) or run)
    assert run_evaluation("--wandb", "project") == 0
    assert (asked["mode"], asked["project"], asked["config"]["size"]) == (expected, "project", 32)
    assert "evaluation/gallery" in run.logged and Path("r.json").exists()
