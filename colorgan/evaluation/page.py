"""The results as one self-contained HTML file: the table, the distributions and the gallery.

Whatever depends on a metric (orders, digits, bins) is computed here; the JavaScript of page.html only displays it.
"""

import base64
import hashlib
import io
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from PIL import Image
from torch import Tensor

from colorgan.evaluation.gallery import GalleryRow
from colorgan.evaluation.predictors import BASELINES, TRUTH
from colorgan.metrics.variants import KNOWN

BINS = 40  # of a distribution
JPEG_QUALITY = 88
ARROWS = {"higher": "↑", "lower": "↓", "near": "≈"}
DIRECTIONS = {"higher": "higher is better", "lower": "lower is better", "near": "nearer to the truth's is better"}

PictureScores = dict[str, dict[str, np.ndarray]]  # system or TRUTH -> metric -> (N,), from `Scores.per_picture`


def write_page(
    path: Path, results: dict[str, Any], names: list[str], scores: PictureScores, gallery: list[GalleryRow]
) -> None:
    """Write the results as one self-contained HTML file.

    Args:
        path: the file; its folder must exist.
        results: from `results.summarize`, the two baselines first among its systems.
        names: names of the N measured pictures.
        scores: finite values of each picture. By a metric whose `better` is "near", pictures are sorted by their
            distance to the value of their true picture or, where `scores` has none, to the mean of the true pictures.
        gallery: the pictures to show; all rows have the same columns.

    Raises:
        OSError: the file cannot be written.
    """
    folder = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=folder, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["digest"] = _csp_digest
    systems, truth = results["systems"], results["truth"]
    columns = [metric for metric in KNOWN if any(_mean(means, metric) is not None for means in systems.values())]
    per_picture = [metric for metric in columns if any(metric in values for values in scores.values())]
    html = environment.get_template("page.html").render(
        results=results,
        metrics=KNOWN,
        arrows=ARROWS,
        directions=DIRECTIONS,
        first_system=len(BASELINES),
        columns=columns,
        per_picture=per_picture,
        table=_table(columns, systems, truth),
        missing=_missing(systems),
        strips=[name for name in (*systems, TRUTH) if name in scores],
        gallery=[(names[row.position], _embed_all(row.pictures)) for row in gallery],
        data={
            "orders": {metric: _order_systems(metric, systems, truth) for metric in columns},
            "metrics": {metric: _picture_data(metric, scores, truth, gallery) for metric in per_picture},
        },
    )
    # Names of files may hold bytes that are not UTF-8.
    path.write_text(html, encoding="utf-8", errors="replace")


def _mean(means: dict[str, dict], metric: str) -> float | None:
    return means.get(metric, {}).get("mean")


def _badness(metric: str, values: np.ndarray, truth: np.ndarray | float | None) -> np.ndarray:
    """Return what a metric sorts by, the best first; nan where it should be near to an unknown truth."""
    if KNOWN[metric].better == "near":
        return np.abs(values - (np.nan if truth is None else truth))
    return -values if KNOWN[metric].better == "higher" else values


def _system_badness(metric: str, systems: dict, truth: dict) -> np.ndarray:
    """Return what systems are sorted by, (systems,); infinite where a system has no value."""
    means = [_mean(values, metric) for values in systems.values()]
    badness = _badness(metric, np.array([np.nan if mean is None else mean for mean in means]), _mean(truth, metric))
    return np.where([mean is None for mean in means], np.inf, badness)


def _order_systems(metric: str, systems: dict, truth: dict) -> list[int]:
    return np.argsort(_system_badness(metric, systems, truth), kind="stable").tolist()


def _table(columns: list[str], systems: dict, truth: dict) -> list[dict]:
    """Return a dict per row: `name`, `kind`, and `cells` with text, interval, why there is no value, and kind."""
    first = len(BASELINES)  # a baseline is never marked as the best
    best = {}
    for metric in columns:
        badness = _system_badness(metric, systems, truth)[first:]
        best[metric] = np.isfinite(badness) & (badness == badness.min(initial=np.inf))
    rows = []
    for i, (name, means) in enumerate(systems.items()):
        cells = [_cell(metric, means.get(metric), i >= first and best[metric][i - first]) for metric in columns]
        rows.append({"name": name, "kind": "floor" if i < first else "system", "cells": cells})
    if any(_mean(truth, metric) is not None for metric in columns):
        rows.append({"name": TRUTH, "kind": "truth", "cells": [_cell(m, truth.get(m)) for m in columns]})
    return rows


def _cell(metric: str, value: dict | None, best: bool = False) -> dict:
    if value is None or value["mean"] is None:
        return {"text": "-" if value else "", "interval": "", "why": (value or {}).get("why", ""), "kind": ""}
    show = KNOWN[metric].format
    ends = [] if value["low"] is None else [show(value[end]) for end in ("low", "high")]
    kind = "best" if best else ""
    return {"text": show(value["mean"]), "interval": " to ".join(ends), "why": "", "kind": kind}


def _missing(systems: dict) -> list[tuple[str, str, str]]:
    """Return title, systems and reason of each metric without a value; no systems where all lack it."""
    lacking = defaultdict(list)
    asked = [metric for metric in KNOWN if any(metric in means for means in systems.values())]
    for name, means in systems.items():
        for metric in asked:
            if _mean(means, metric) is None:
                lacking[metric, means.get(metric, {}).get("why", "not computed")].append(name)
    return [
        (KNOWN[metric].title, "" if len(names) == len(systems) else ", ".join(names), why)
        for (metric, why), names in sorted(lacking.items(), key=lambda item: asked.index(item[0][0]))
    ]


def _picture_data(metric: str, scores: PictureScores, truth: dict, gallery: list[GalleryRow]) -> dict:
    """Return what the page shows of a metric: label, distributions, and by system the gallery's values and orders."""
    known = {name: np.asarray(values[metric], float) for name, values in scores.items() if metric in values}
    rows = np.array([row.position for row in gallery], int)
    data = KNOWN[metric]
    goal = known[TRUTH][rows] if TRUTH in known else _mean(truth, metric)
    return {
        "label": ", ".join(filter(None, (data.title, data.unit, DIRECTIONS[data.better]))),
        "values": {name: [data.format(v) for v in values[rows]] for name, values in known.items()},
        "orders": {
            name: np.argsort(_badness(metric, values[rows], goal), kind="stable").tolist()
            for name, values in known.items()
        },
        **_distributions(known, data.format),
    }


def _distributions(known: dict[str, np.ndarray], show: Callable[[float], str]) -> dict:
    """Return counts in BINS bins of a common range, and where in it the means lie, 0 to 1."""
    low, high = _common_range(np.concatenate(list(known.values())))
    bars = {}
    for name, values in known.items():
        counts, _ = np.histogram(values.clip(low, high), BINS, (low, high))
        place = float(np.clip((values.mean() - low) / (high - low), 0, 1))
        bars[name] = {"counts": counts.tolist(), "mean": round(place, 4), "text": show(values.mean())}
    return {"bars": bars, "ticks": [show(tick) for tick in np.linspace(low, high, 5)]}


def _common_range(values: np.ndarray) -> tuple[float, float]:
    """Return the range of all but 1% of the values; never empty, even where they are all the same."""
    # One photograph without color has a PSNR of 100: with it in the range, all others would share a few bins.
    for beyond in (0.5, 0):
        low, high = np.percentile(values, (beyond, 100 - beyond)).tolist()
        if high - low > 1e-6 * max(1, abs(low), abs(high)):
            return low, high
    return low - 0.5, high + 0.5


def _embed_all(pictures: dict[str, Tensor]) -> dict[str, str]:
    return {name: _embed(picture) for name, picture in pictures.items()}


def _embed(picture: Tensor) -> str:
    """Encode uint8 (3, S, S) as a data URL: a JPEG, as WebP always subsamples color."""
    file = io.BytesIO()
    array = np.ascontiguousarray(picture.permute(1, 2, 0).cpu().numpy())
    Image.fromarray(array).save(file, "JPEG", quality=JPEG_QUALITY, subsampling="4:4:4", optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _csp_digest(text: str) -> str:
    """Return the hash by which a Content-Security-Policy allows a script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
