"""The results as one HTML file that needs no network: the table, the distributions and the pictures.

All that needs to know a metric (orders, digits, bins) happens here; the JavaScript of page.html only shows it.
"""

import base64
import hashlib
import io
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
from PIL import Image
from torch import Tensor

from colorgan.evaluation.definitions import METRICS, number

FLOORS = 2  # the first systems are no systems: gray and the mean color
BINS = 40
QUALITY = 88
BETTER = {"higher": "↑", "lower": "↓", "near": "≈"}
SAID = {"higher": "higher is better", "lower": "lower is better", "near": "nearer to the truth's is better"}

Scores = dict[str, dict[str, np.ndarray]]  # system -> metric -> (N,), a value for each picture


class Shown(NamedTuple):
    """One row of the gallery."""

    row: int  # place of the picture in `names` and in the arrays of scores
    pictures: dict[str, Tensor]  # gray, each system and truth, in the order of the columns: uint8 (3, S, S)


def write_page(path: Path, results: dict[str, Any], names: list[str], scores: Scores, gallery: list[Shown]) -> None:
    """Writes the results as one HTML file with everything in it.

    Args:
        path: the file; its folder is there.
        results: the evaluator's JSON: `data`, `systems` (the two floors first), `truth` and `notes`.
        names: N names of pictures.
        scores: system -> metric -> (N,) values, finite; those of "truth", too, where they are known: pictures are
            sorted by a `near` metric through them, else through the mean of `truth`.
        gallery: the pictures to show; all rows have the same columns.

    Raises:
        OSError: the file cannot be written.
    """
    folder = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=folder, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["digest"] = _digest
    systems, truth = results["systems"], results["truth"]
    columns = [metric for metric in METRICS if any(_mean(means, metric) is not None for means in systems.values())]
    judged = [metric for metric in columns if any(metric in values for values in scores.values())]
    html = environment.get_template("page.html").render(
        results=results,
        metrics=METRICS,
        better=BETTER,
        said=SAID,
        floors=FLOORS,
        columns=columns,
        judged=judged,
        table=_table(columns, systems, truth),
        missing=_missing(systems),
        strips=[name for name in (*systems, "truth") if name in scores],
        gallery=[(names[shown.row], _embed_all(shown.pictures)) for shown in gallery],
        data={
            "orders": {metric: _order_systems(metric, systems, truth) for metric in columns},
            "metrics": {metric: _picture_data(metric, scores, truth, gallery) for metric in judged},
        },
    )
    # A file name may hold bytes that are no text.
    path.write_text(html, encoding="utf-8", errors="replace")


def _mean(means: dict[str, dict], metric: str) -> float | None:
    return means.get(metric, {}).get("mean")


def _badness(metric: str, values: np.ndarray, truth: np.ndarray | float | None) -> np.ndarray:
    """What a metric sorts by, the best first; nan where it is near to a truth that is unknown."""
    if METRICS[metric].better == "near":
        return np.abs(values - (np.nan if truth is None else truth))
    return -values if METRICS[metric].better == "higher" else values


def _system_badness(metric: str, systems: dict, truth: dict) -> np.ndarray:
    """(systems,); infinite where a system has no value."""
    means = [_mean(values, metric) for values in systems.values()]
    badness = _badness(metric, np.array([np.nan if mean is None else mean for mean in means]), _mean(truth, metric))
    return np.where([mean is None for mean in means], np.inf, badness)


def _order_systems(metric: str, systems: dict, truth: dict) -> list[int]:
    return np.argsort(_system_badness(metric, systems, truth), kind="stable").tolist()


def _table(columns: list[str], systems: dict, truth: dict) -> list[dict]:
    """A dict a row: `name`, `kind`, and `cells` with text, interval, why there is no value, and kind."""
    best = {}
    for metric in columns:
        badness = _system_badness(metric, systems, truth)[FLOORS:]
        best[metric] = np.isfinite(badness) & (badness == badness.min(initial=np.inf))
    rows = []
    for i, (name, means) in enumerate(systems.items()):
        cells = [_cell(metric, means.get(metric), i >= FLOORS and best[metric][i - FLOORS]) for metric in columns]
        rows.append({"name": name, "kind": "floor" if i < FLOORS else "system", "cells": cells})
    if any(_mean(truth, metric) is not None for metric in columns):
        rows.append({"name": "truth", "kind": "truth", "cells": [_cell(m, truth.get(m)) for m in columns]})
    return rows


def _cell(metric: str, value: dict | None, best: bool = False) -> dict:
    if value is None or value["mean"] is None:
        return {"text": "-" if value else "", "interval": "", "why": (value or {}).get("why", ""), "kind": ""}
    ends = [] if value["low"] is None else [number(metric, value[end]) for end in ("low", "high")]
    kind = "best" if best else ""
    return {"text": number(metric, value["mean"]), "interval": " to ".join(ends), "why": "", "kind": kind}


def _missing(systems: dict) -> list[tuple[str, str, str]]:
    """Title, systems and reason of each metric without a value; no systems where all lack it."""
    lacking = defaultdict(list)
    for name, means in systems.items():
        for metric in METRICS:
            if _mean(means, metric) is None:
                lacking[metric, means.get(metric, {}).get("why", "not computed")].append(name)
    return [
        (METRICS[metric].title, "" if len(names) == len(systems) else ", ".join(names), why)
        for (metric, why), names in sorted(lacking.items(), key=lambda item: list(METRICS).index(item[0][0]))
    ]


def _picture_data(metric: str, scores: Scores, truth: dict, gallery: list[Shown]) -> dict:
    """What the page shows of a metric: its label, distributions, and by system the gallery's values and orders."""
    known = {name: np.asarray(values[metric], float) for name, values in scores.items() if metric in values}
    rows = np.array([shown.row for shown in gallery], int)
    data = METRICS[metric]
    goal = known["truth"][rows] if "truth" in known else _mean(truth, metric)
    return {
        "label": ", ".join(filter(None, (data.title, data.unit, SAID[data.better]))),
        "values": {name: [number(metric, v) for v in values[rows]] for name, values in known.items()},
        "orders": {
            name: np.argsort(_badness(metric, values[rows], goal), kind="stable").tolist()
            for name, values in known.items()
        },
        **_distributions(metric, known),
    }


def _distributions(metric: str, known: dict[str, np.ndarray]) -> dict:
    """Counts in BINS bins of a common range, and where the means lie in it, 0 to 1."""
    low, high = _common_range(np.concatenate(list(known.values())))
    bars = {}
    for name, values in known.items():
        counts, _ = np.histogram(values.clip(low, high), BINS, (low, high))
        place = float(np.clip((values.mean() - low) / (high - low), 0, 1))
        bars[name] = {"counts": counts.tolist(), "mean": round(place, 4), "text": number(metric, values.mean())}
    return {"bars": bars, "ticks": [number(metric, tick) for tick in np.linspace(low, high, 5)]}


def _common_range(values: np.ndarray) -> tuple[float, float]:
    """Where all but a percent of the values lie; wider than 0 even where they are all the same."""
    # One photograph without colors has a PSNR of 100: with it in the range, all others would share a few bins.
    for beyond in (0.5, 0):
        low, high = np.percentile(values, (beyond, 100 - beyond)).tolist()
        if high - low > 1e-6 * max(1, abs(low), abs(high)):
            return low, high
    return low - 0.5, high + 0.5


def _embed_all(pictures: dict[str, Tensor]) -> dict[str, str]:
    return {name: _embed(picture) for name, picture in pictures.items()}


def _embed(picture: Tensor) -> str:
    """uint8 (3, S, S) as a data URL: a JPEG with all of its color, where a WebP would keep a quarter."""
    file = io.BytesIO()
    array = np.ascontiguousarray(picture.permute(1, 2, 0).cpu().numpy())
    Image.fromarray(array).save(file, "JPEG", quality=QUALITY, subsampling="4:4:4", optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _digest(text: str) -> str:
    """How a Content-Security-Policy names the one script, or style, that may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
