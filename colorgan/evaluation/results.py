"""The results of an evaluation: summarized over pictures, and as JSON, CSV, text and Markdown."""

import csv
import io
import json
import re
import statistics
from pathlib import Path
from typing import Any

from colorgan.atomic import write_atomically
from colorgan.evaluation.predictors import BASELINES, TRUTH
from colorgan.evaluation.scoring import Scores
from colorgan.metrics.metric import Metric
from colorgan.metrics.registry import METRICS
from colorgan.metrics.variants import KNOWN

LEADERBOARD = (  # the metrics that fit a README
    "psnr",
    "ssim",
    "ab_error",
    "ciede2000",
    "auc",
    "auc_rebalanced",
    "colorfulness",
    "lpips",
    "fid",
    "fid_classifier",
    "top1",
)


def summarize(scores: Scores, data: dict[str, Any], missing: dict[str, str]) -> dict[str, Any]:
    """Summarize scores over pictures.

    Args:
        scores: from `scoring.score`.
        data: what was evaluated on, for the reader.
        missing: `FeatureNetworks.missing`, which gives the reason for each metric that was not computed.

    Returns:
        {"data": data, "metrics": {METRIC: definition}, "systems": {NAME: {METRIC: {"mean": x, "low": x, "high": x}}},
        "truth": {METRIC: ...}, "notes": [...]}. A metric that was not computed has null values and a "why".
    """
    names = [name for name in scores.values if name != TRUTH]
    return {
        "data": {**data, "pictures": len(scores.indices)},
        "metrics": {key: metric.definition for key, metric in scores.metrics.items()},
        "systems": {
            name: {key: _result(scores, name, metric, missing) for key, metric in scores.metrics.items()}
            for name in names
        },
        "truth": {
            key: _result(scores, TRUTH, metric, missing)
            for key, metric in scores.metrics.items()
            if metric.perfect is None
        },
        "notes": scores.problems,
    }


def _result(scores: Scores, name: str, metric: Metric, missing: dict[str, str]) -> dict[str, Any]:
    count = len(scores.indices)
    if metric.needs in missing:
        why = missing[metric.needs]
    elif count < metric.min_pictures:
        why = f"{count} pictures are too few; {metric.min_pictures} are needed"
    else:
        truth = scores.values[TRUTH].get(metric.measure)
        return metric.summarize(scores.values[name][metric.measure], truth)._asdict()
    return {"mean": None, "low": None, "high": None, "why": why}


def write_json(results: dict[str, Any], path: Path) -> None:
    """Write all results; an interruption leaves no partial file."""
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    write_atomically(path, text.encode(errors="replace"))  # names of files may hold bytes that are not UTF-8


def write_csv(results: dict[str, Any], path: Path) -> None:
    """Write one row per system with three columns per metric; an interruption leaves no partial file."""
    text = io.StringIO()
    csv.writer(text).writerows(as_rows(results))
    write_atomically(path, text.getvalue().encode(errors="replace"))


def as_rows(results: dict[str, Any]) -> list[list[Any]]:
    """Format results as a header row and a row per system: name, and per metric mean, low and high or None."""
    keys = next(iter(results["systems"].values()))
    rows = [["system", *(f"{key}{end}" for key in keys for end in ("", "_low", "_high"))]]
    for name, values in results["systems"].items():
        rows.append([name, *(values[key][part] for key in keys for part in ("mean", "low", "high"))])
    return rows


def as_text(results: dict[str, Any]) -> str:
    """Format results for the terminal: a row per metric and a column per system, means with their intervals."""
    systems = list(results["systems"])
    rows = [["", *systems, TRUTH]]
    for key in results["systems"][systems[0]]:
        metric = KNOWN[key]
        cells = [results["systems"][name][key] for name in systems] + [results["truth"].get(key)]
        if cells[0]["mean"] is not None:
            title = f"{metric.title} ({metric.unit})" if metric.unit else metric.title
            rows.append([title, *(_with_interval(cell, metric) for cell in cells)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    missing = {key: value["why"] for key, value in results["systems"][systems[0]].items() if "why" in value}
    return "\n".join([*lines, *(f"{KNOWN[key].title}: none, {reason}" for key, reason in missing.items())])


def as_markdown(results: dict[str, Any], trained_on: dict[str, int], command: str) -> str:
    """Format the main metrics for a README: a row per experiment, baselines first, the truth last, notes below.

    Several seeds of one experiment form one row, with their mean and standard deviation.

    Args:
        results: from `summarize`.
        trained_on: how many pictures each system was trained on, repeats counted.
        command: the command line that made the results; it stands below the table.
    """
    systems = results["systems"]
    columns = [key for key in LEADERBOARD if systems[BASELINES[0]][key]["mean"] is not None]
    lines = [
        f"| system | pictures trained on | {' | '.join(METRICS[key].title for key in columns)} |",
        "|---" * (2 + len(columns)) + "|",
    ]
    for title, names in _group_seeds(systems).items():
        cells = [_over_seeds([systems[name][key]["mean"] for name in names], METRICS[key]) for key in columns]
        pictures = [trained_on[name] for name in names if name in trained_on]
        lines.append(f"| {title} | {round(statistics.mean(pictures)):,} |" if pictures else f"| {title} | |")
        lines[-1] += f" {' | '.join(cells)} |"
    truth = [results["truth"].get(key) for key in columns]
    cells = [
        "" if cell is None or cell["mean"] is None else METRICS[key].format(cell["mean"])
        for key, cell in zip(columns, truth, strict=True)
    ]
    lines.append(f"| {TRUTH} | | {' | '.join(cells)} |")
    data = results["data"]
    where = f"{data['pictures']} pictures at {data['size']} px; nproc {data['nproc']}, torch {data['torch']}."
    notes = [f"- {note}" for note in results["notes"]]
    return "\n".join([*lines, "", where, *notes, "", "```sh", command, "```", ""])


def _with_interval(cell: dict[str, Any] | None, metric: Metric) -> str:
    if cell is None or cell["mean"] is None:
        return ""
    mean, low, high = (metric.format(cell[part]) for part in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


def _group_seeds(systems: dict[str, Any]) -> dict[str, list[str]]:
    """Group systems that are runs of one experiment with several seeds: title -> names."""
    groups: dict[str, list[str]] = {}
    for name in systems:
        groups.setdefault(re.sub(r" seed \d+$", "", name), []).append(name)
    return {f"{name}, {len(group)} seeds" if len(group) > 1 else group[0]: group for name, group in groups.items()}


def _over_seeds(values: list[float], metric: Metric) -> str:
    mean = metric.format(statistics.mean(values))
    return f"{mean} ± {metric.format(statistics.stdev(values))}" if len(values) > 1 else mean
