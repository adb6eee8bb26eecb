import re

import pytest

from colorgan.evaluation.results import LEADERBOARD, as_markdown
from colorgan.metrics.registry import METRICS

BASELINES = {"gray": 1.0, "mean color": 2.0}


def results(systems, missing=(), truth=50.0):
    """The evaluator's results where each system has one and the same value of every metric but the missing ones."""

    def row(value):
        return {key: {"mean": None, "why": "?"} if key in missing else {"mean": value} for key in METRICS}

    return {
        "data": {"pictures": 15, "size": 32, "nproc": 4, "torch": "2.15"},
        "systems": {name: row(value) for name, value in (BASELINES | systems).items()},
        "truth": {"colorfulness": {"mean": truth}, "top1": row(truth)["top1"]},
        "notes": [],
    }


def table(systems, seen=None, **more):
    """The rows of cells below the table's head, by the system."""
    lines = as_markdown(results(systems, **more), seen or {}, "COMMAND").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return {row[0]: row[1:] for row in rows}


def test_every_row_has_a_cell_for_every_column():
    lines = [line for line in as_markdown(results({"gan": 3.0}), {}, "x").splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {len(LEADERBOARD) + 3}


def test_baselines_stand_first_and_the_truth_last():
    assert list(table({"gan": 3.0, "unet": 4.0})) == ["system", "gray", "mean color", "gan", "unet", "truth"]


def test_one_run_has_its_value_alone():
    assert table({"gan": 3.0})["gan"][1] == "3.00"


def test_seeds_of_one_experiment_are_one_row_with_mean_and_deviation():
    rows = table({"gan seed 0": 2.0, "gan seed 1": 4.0, "unet seed 0": 3.0, "unet seed 1": 3.0})
    assert (rows["gan, 2 seeds"][1], rows["unet, 2 seeds"][1]) == ("3.00 ± 1.41", "3.00 ± 0.00")


def test_the_only_seed_that_was_trained_keeps_its_name():
    assert "gan seed 1" in table({"gan seed 1": 2.0})


def test_pictures_trained_on_are_counted_for_systems_alone():
    rows = table({"gan": 3.0}, {"gan": 20_000})
    assert [rows[name][0] for name in ("gray", "gan", "truth")] == ["", "20,000", ""]


def test_pictures_trained_on_are_the_mean_of_the_seeds():
    assert (
        table({"gan seed 0": 2.0, "gan seed 1": 4.0}, {"gan seed 0": 10, "gan seed 1": 20})["gan, 2 seeds"][0] == "15"
    )


def test_a_metric_that_nothing_computed_has_no_column():
    head = table({"gan": 3.0}, missing=("top1", "fid_classifier"))["system"]
    assert METRICS["psnr"].title in head
    assert METRICS["top1"].title not in head


def test_the_truth_shows_its_own_values_alone():
    rows = table({"gan": 3.0})
    shown = dict(zip(rows["system"], rows["truth"], strict=True))
    assert (shown[METRICS["colorfulness"].title], shown[METRICS["psnr"].title]) == ("50.0", "")


def test_data_machine_and_command_stand_below():
    text = as_markdown(results({"gan": 3.0}), {}, "python -m colorgan.compare x")
    assert re.search(r"^15 pictures at 32 px; nproc \d+, torch \d", text, re.M)
    assert text.endswith("```sh\npython -m colorgan.compare x\n```\n")


@pytest.mark.parametrize("key", LEADERBOARD)
def test_every_column_is_a_metric_of_the_evaluator(key):
    assert key in METRICS
