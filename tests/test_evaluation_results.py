"""From values of pictures to the table: means by hand, intervals around them, and files that hold the same numbers."""

import csv
import json

import numpy as np
import pytest

from colorgan.evaluation.predictors import TRUTH
from colorgan.evaluation.results import as_text, summarize, write_csv, write_json
from colorgan.evaluation.scoring import Scores
from colorgan.metrics.registry import METRICS

DISTANCES = {"fid", "kid", "fid_classifier", "kid_classifier"}
SYSTEMS = ["gray", "mean color", "gan"]
MISSING = {"lpips": "no network", "classifier_labels": "no classifier"}
WHY = {"lpips": "no network", "top1": "no classifier"}


def shape(key):
    """What is measured of 20 pictures."""
    return (20, 5) if key in DISTANCES else (20, 2) if key == "auc_rebalanced" else (20,)


@pytest.fixture
def scores():
    """Twenty pictures of random values, and features of five columns."""
    rng = np.random.default_rng(0)
    names = [*SYSTEMS, TRUTH]
    return Scores(
        indices=list(range(20)),
        values={
            name: {
                metric.measure: rng.uniform(1, 9, shape(key))
                for key, metric in METRICS.items()
                if name != TRUTH or metric.measures_truth
            }
            for name in names
        },
        problems=["sea/é.png: missing", "bad \udcff.png: broken"],  # a byte that is no text
    )


@pytest.fixture
def results(scores):
    return summarize(scores, {"root": "photographs"}, {})


@pytest.mark.parametrize(("missing", "why"), [({}, {}), (MISSING, WHY)], ids=["all", "some"])
def test_every_system_has_every_metric_with_its_interval(scores, missing, why):
    systems = summarize(scores, {}, missing)["systems"]
    assert list(systems) == SYSTEMS
    for values in systems.values():
        assert list(values) == list(METRICS)
        for key, value in values.items():
            if key in why:
                assert value == {"mean": None, "low": None, "high": None, "why": why[key]}
            else:
                assert list(value) == ["mean", "low", "high"]
                assert all(type(number) is float and np.isfinite(number) for number in value.values())
                assert value["low"] <= value["mean"] <= value["high"]


def test_a_value_is_the_mean_over_pictures(scores, results):
    for key, values in scores.per_picture()["gan"].items():
        expected = values.mean()
        assert results["systems"]["gan"][key]["mean"] == pytest.approx(expected)


def test_rebalanced_auc_is_a_mean_weighted_by_pixels(scores, results):
    sums, weights = scores.values["gan"][METRICS["auc_rebalanced"].measure].T
    expected = sums.sum() / weights.sum()
    assert results["systems"]["gan"]["auc_rebalanced"]["mean"] == pytest.approx(expected)


def test_the_difference_of_colorfulness_is_that_of_the_means(scores, results):
    own, true = (scores.per_picture()[name]["colorfulness"] for name in ("gan", TRUTH))
    expected = abs(own.mean() - true.mean())
    assert results["systems"]["gan"]["colorfulness_difference"]["mean"] == pytest.approx(expected)


def test_features_that_equal_the_truths_have_no_distance(scores):
    for key in ("fid", "fid_classifier"):
        scores.values["gan"][METRICS[key].measure] = scores.values[TRUTH][METRICS[key].measure]
    systems = summarize(scores, {}, {})["systems"]
    assert systems["gan"]["fid"]["mean"] == pytest.approx(0, abs=1e-9) and systems["gray"]["fid"]["mean"] > 0.1
    assert systems["gan"]["kid_classifier"]["mean"] == 0 != systems["gray"]["kid_classifier"]["mean"]


def test_the_truth_has_what_needs_no_comparison(scores, results):
    assert results["truth"].keys() == {"colorfulness", "colorfulness_ddcolor", "top1"}
    assert results["truth"]["top1"]["mean"] == pytest.approx(scores.per_picture()[TRUTH]["top1"].mean())


def test_the_data_says_how_many_pictures_were_measured(results):
    assert results["data"] == {"root": "photographs", "pictures": 20}


def test_results_are_the_same_every_time(scores, results):
    assert summarize(scores, {"root": "photographs"}, {}) == results


def test_json_reads_back(scores, tmp_path):
    results = summarize(scores, {}, MISSING)
    write_json(results, tmp_path / "r.json")
    text = (tmp_path / "r.json").read_text(encoding="utf-8")
    read = json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
    assert read["systems"] == results["systems"] and read["truth"] == results["truth"]
    assert read["notes"] == ["sea/é.png: missing", "bad ?.png: broken"]


def test_csv_holds_the_numbers_of_json(scores, tmp_path):
    results = summarize(scores, {}, MISSING)
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


def test_the_text_has_a_row_a_metric_and_a_column_a_system(scores):
    lines = as_text(summarize(scores, {}, MISSING)).splitlines()
    assert lines[0].split() == ["gray", "mean", "color", "gan", TRUTH]
    titles = [metric.title for key, metric in METRICS.items() if key not in WHY]
    assert [line.startswith(title) for line, title in zip(lines[1:], titles, strict=False)] == [True] * len(titles)
    assert lines[-2:] == ["LPIPS: none, no network", "top-1 (own classifier): none, no classifier"]
