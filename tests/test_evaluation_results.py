"""From values of pictures to the table: means by hand, intervals around them, and files that hold the same numbers."""

import csv
import json

import numpy as np
import pytest

from colorgan.evaluation.definitions import METRICS
from colorgan.evaluation.judging import Judged
from colorgan.evaluation.painters import TRUTH
from colorgan.evaluation.results import OF_TRUTH, as_text, summarize, write_csv, write_json

KEYS = (
    "psnr ssim ab_error rmse_ab ciede2000 mae acc2 acc5 auc auc_rebalanced colorfulness colorfulness_ddcolor "
    "colorfulness_difference lpips fid kid fid_classifier kid_classifier top1"
).split()
DISTANCES = {"fid", "kid", "fid_classifier", "kid_classifier"}
WHOLE = DISTANCES | {"auc_rebalanced", "colorfulness_difference"}  # no value of a single picture
SYSTEMS = ["gray", "mean color", "gan"]
WHY = {"lpips": "no network", "top1": "no classifier"}


@pytest.fixture
def judged():
    """Twenty pictures of random values, and features of five columns."""
    rng = np.random.default_rng(0)
    names = [*SYSTEMS, TRUTH]
    return Judged(
        rows=list(range(20)),
        scores={name: {key: rng.uniform(1, 9, 20) for key in KEYS if key not in WHOLE} for name in names},
        rebalanced={name: rng.uniform(1, 9, 20) for name in SYSTEMS},
        weights=rng.uniform(10, 20, 20),
        features={name: {key: rng.normal(size=(20, 5)) for key in ("fid", "fid_classifier")} for name in names},
        problems=["sea/é.png: missing", "bad \udcff.png: broken"],  # a byte that is no text
    )


@pytest.fixture
def results(judged):
    return summarize(judged, {"root": "album"}, {})


def test_the_metrics_are_these():
    assert list(METRICS) == KEYS


@pytest.mark.parametrize("why", [{}, WHY], ids=["all", "some"])
def test_every_system_has_every_metric_with_its_interval(judged, why):
    systems = summarize(judged, {}, why)["systems"]
    assert list(systems) == SYSTEMS
    for values in systems.values():
        assert list(values) == KEYS
        for key, value in values.items():
            if key in why:
                assert value == {"mean": None, "low": None, "high": None, "why": why[key]}
            else:
                assert list(value) == ["mean", "low", "high"]
                assert all(type(number) is float and np.isfinite(number) for number in value.values())
                assert value["low"] <= value["mean"] <= value["high"]


def test_a_value_is_the_mean_over_pictures(judged, results):
    for key in set(KEYS) - WHOLE:
        expected = judged.scores["gan"][key].mean()
        assert results["systems"]["gan"][key]["mean"] == pytest.approx(expected)


def test_rebalanced_auc_is_a_mean_weighted_by_pixels(judged, results):
    expected = judged.rebalanced["gan"].sum() / judged.weights.sum()
    assert results["systems"]["gan"]["auc_rebalanced"]["mean"] == pytest.approx(expected)


def test_the_difference_of_colorfulness_is_that_of_the_means(judged, results):
    expected = abs(judged.scores["gan"]["colorfulness"].mean() - judged.scores[TRUTH]["colorfulness"].mean())
    assert results["systems"]["gan"]["colorfulness_difference"]["mean"] == pytest.approx(expected)


def test_features_that_equal_the_truths_have_no_distance(judged):
    judged.features["gan"] = judged.features[TRUTH]
    systems = summarize(judged, {}, {})["systems"]
    assert systems["gan"]["fid"]["mean"] == pytest.approx(0, abs=1e-9) and systems["gray"]["fid"]["mean"] > 0.1
    assert systems["gan"]["kid_classifier"]["mean"] == 0 != systems["gray"]["kid_classifier"]["mean"]


def test_the_truth_has_what_needs_no_comparison(judged, results):
    assert results["truth"].keys() == set(OF_TRUTH)
    assert results["truth"]["top1"]["mean"] == pytest.approx(judged.scores[TRUTH]["top1"].mean())


def test_the_data_says_how_many_pictures_were_judged(results):
    assert results["data"] == {"root": "album", "pictures": 20}


def test_results_are_the_same_every_time(judged, results):
    assert summarize(judged, {"root": "album"}, {}) == results


def test_json_reads_back(judged, tmp_path):
    results = summarize(judged, {}, WHY)
    write_json(results, tmp_path / "r.json")
    text = (tmp_path / "r.json").read_text(encoding="utf-8")
    read = json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
    assert read["systems"] == results["systems"] and read["truth"] == results["truth"]
    assert read["notes"] == ["sea/é.png: missing", "bad ?.png: broken"]


def test_csv_holds_the_numbers_of_json(judged, tmp_path):
    results = summarize(judged, {}, WHY)
    write_csv(results, tmp_path / "r.csv")
    with (tmp_path / "r.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["system"] for row in rows] == SYSTEMS
    for row in rows:
        for key, value in results["systems"][row["system"]].items():
            cells = [row[key], row[f"{key}_low"], row[f"{key}_high"]]
            assert [float(cell) if cell else None for cell in cells] == [value[end] for end in ("mean", "low", "high")]


@pytest.mark.parametrize("write", [write_json, write_csv])
def test_no_draft_stays_behind(results, tmp_path, write):
    write(results, tmp_path / "r")
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_the_text_has_a_row_a_metric_and_a_column_a_system(judged):
    lines = as_text(summarize(judged, {}, WHY)).splitlines()
    assert lines[0].split() == ["gray", "mean", "color", "gan", TRUTH]
    titles = [metric.title for key, metric in METRICS.items() if key not in WHY]
    assert [line.startswith(title) for line, title in zip(lines[1:], titles, strict=False)] == [True] * len(titles)
    assert lines[-2:] == ["LPIPS: none, no network", "top-1 (own classifier): none, no classifier"]
