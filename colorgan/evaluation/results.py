"""From one value a picture to the table: means with their intervals, as JSON, CSV, Markdown and text."""

import csv
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from colorgan.evaluation.bootstrap import Interval, interval, normal_interval
from colorgan.evaluation.definitions import METRICS, number
from colorgan.evaluation.frechet import frechet_distance
from colorgan.evaluation.judging import Judged
from colorgan.evaluation.kernel import kernel_distance
from colorgan.evaluation.painters import TRUTH

OF_FEATURES = {"fid": "fid", "kid": "fid", "fid_classifier": "fid_classifier", "kid_classifier": "fid_classifier"}
OF_TRUTH = ("colorfulness", "colorfulness_ddcolor", "top1")  # what the true pictures have a value of, too
FEWEST = 10  # pictures that a covariance of features can be made of at all


def summarize(judged: Judged, data: dict[str, Any], why: dict[str, str]) -> dict[str, Any]:
    """The results of all systems.

    Args:
        judged: of `judging.judge`.
        data: what was judged on, in words and numbers.
        why: of each metric that nothing could compute, what was missing.

    Returns:
        {"data": data, "systems": {NAME: {METRIC: {"mean": x, "low": x, "high": x}}}, "truth": {METRIC: ...},
        "notes": [...]}. A metric that could not be computed is null, with a "why". FID and KID come from 20 resamples.
    """
    names = [name for name in judged.scores if name != TRUTH]
    return {
        "data": {**data, "pictures": len(judged.rows)},
        "metrics": {key: metric.definition for key, metric in METRICS.items()},
        "systems": {name: {key: _result(judged, name, key, why) for key in METRICS} for name in names},
        "truth": {key: _result(judged, TRUTH, key, why) for key in OF_TRUTH},
        "notes": judged.problems,
    }


def _result(judged: Judged, name: str, key: str, why: dict[str, str]) -> dict[str, Any]:
    if key in why:
        return {"mean": None, "low": None, "high": None, "why": why[key]}
    count = len(judged.rows)
    if key in OF_FEATURES and count < FEWEST:
        return {"mean": None, "low": None, "high": None, "why": f"{count} pictures are too few; {FEWEST} are needed"}
    return _interval(judged, name, key, count)._asdict()


def _interval(judged: Judged, name: str, key: str, count: int) -> Interval:
    if key in OF_FEATURES:
        mine, true = (torch.from_numpy(judged.features[system][OF_FEATURES[key]]) for system in (name, TRUTH))
        if key.startswith("kid"):
            return normal_interval(lambda drawn: 1000 * kernel_distance(mine[drawn], true[drawn]), count, -math.inf)
        return normal_interval(lambda drawn: frechet_distance(mine[drawn], true[drawn]), count, least=0.0)
    if key == "auc_rebalanced":
        sums, weights = judged.rebalanced[name], judged.weights
        return interval(lambda counts: counts @ sums / (counts @ weights), count)
    if key == "colorfulness_difference":
        apart = judged.scores[name]["colorfulness"] - judged.scores[TRUTH]["colorfulness"]
        return interval(lambda counts: np.abs(counts @ apart) / count, count)
    values = judged.scores[name][key]
    return interval(lambda counts: counts @ values / count, count)


def write_json(results: dict[str, Any], path: Path) -> None:
    """Writes all results in one step: a kill leaves no half of a file."""
    _write(path, json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def write_csv(results: dict[str, Any], path: Path) -> None:
    """One row a system, three columns a metric; what could not be computed is empty."""
    draft = path.with_name(path.name + ".tmp")
    with draft.open("w", newline="", encoding="utf-8", errors="replace") as file:
        csv.writer(file).writerows(as_rows(results))
    os.replace(draft, path)


def as_rows(results: dict[str, Any]) -> list[list[Any]]:
    """The titles of the columns, and a row a system: its name, and of each metric the mean, low and high."""
    rows = [["system", *(f"{key}{end}" for key in METRICS for end in ("", "_low", "_high"))]]
    for name, values in results["systems"].items():
        rows.append([name, *(values[key][part] for key in METRICS for part in ("mean", "low", "high"))])
    return rows


def as_text(results: dict[str, Any]) -> str:
    """A table for the terminal: one row a metric, one column a system, the mean and its interval."""
    systems = list(results["systems"])
    rows = [["", *systems, TRUTH]]
    for key, metric in METRICS.items():
        cells = [results["systems"][name][key] for name in systems] + [results["truth"].get(key)]
        if cells[0]["mean"] is not None:
            title = f"{metric.title} ({metric.unit})" if metric.unit else metric.title
            rows.append([title, *(_cell(cell, key) for cell in cells)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    missing = {key: value["why"] for key, value in results["systems"][systems[0]].items() if "why" in value}
    return "\n".join([*lines, *(f"{METRICS[key].title}: none, {reason}" for key, reason in missing.items())])


def _cell(cell: dict[str, Any] | None, key: str) -> str:
    if cell is None or cell["mean"] is None:
        return ""
    mean, low, high = (number(key, cell[part]) for part in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


def _write(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".tmp")
    draft.write_text(text, encoding="utf-8", errors="replace")  # a file name may hold bytes that are no text
    os.replace(draft, path)
