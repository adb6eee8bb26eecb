"""Plots of metrics.csv: the curves of one run, and those of several runs in comparison."""

import math
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator

REFERENCE_PREFIXES = ("gray_", "true_")  # metrics that do not depend on the model; their lines are dashed
ROLLBACKS = "guard/rollbacks"  # column of metrics.csv: how often a run went back to a healthy epoch until then


def draw_curves(rows: list[dict[str, str]], path: Path) -> None:
    """Plot all metrics of a run over its epochs, with one panel for each kind of metric.

    Args:
        rows: rows of metrics.csv, one per epoch.
        path: the PNG file to write.
    """
    panels = _group_by_panel(rows)
    ncols = min(3, len(panels))
    nrows = math.ceil(len(panels) / ncols)
    figure, axes = plt.subplots(nrows, ncols, figsize=(4.5 * ncols, 3.2 * nrows), squeeze=False, layout="constrained")
    for axis, (title, keys) in zip(axes.flat, panels.items(), strict=False):
        for key in keys:
            points = [(int(row["epoch"]), float(row[key])) for row in rows if row.get(key)]
            name = key.split("/")[1]
            style = "--" if name.startswith(REFERENCE_PREFIXES) else "o-"
            axis.plot(*zip(*points, strict=True), style, markersize=3, label=name)
        axis.set(title=title, xlabel="epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.legend(fontsize="small")
        if title.endswith(("lr", "loss")):
            axis.set_yscale("log")
        for epoch in _rollbacks(rows):
            axis.axvline(epoch - 0.5, color="red", linestyle=":", label="rollback")
    for axis in axes.flat[len(panels) :]:
        axis.remove()
    figure.savefig(path, dpi=100)
    plt.close(figure)


def draw_comparison(runs: dict[str, list[dict[str, str]]], images_per_epoch: dict[str, int], path: Path) -> None:
    """Plot validation metrics over the number of training images, with one panel per metric and one line per run.

    Args:
        runs: name of a run -> rows of its metrics.csv, one per epoch.
        images_per_epoch: name of a run -> number of training images in one of its epochs.
        path: the PNG file to write.
    """
    keys = {"val/ab_error": "ab error (Lab)", "val/psnr": "PSNR (dB)", "val/colorfulness": "colorfulness"}
    figure, axes = plt.subplots(1, len(keys), figsize=(4.5 * len(keys), 3.8), layout="constrained")
    for axis, (key, title) in zip(axes, keys.items(), strict=True):
        for name, rows in runs.items():
            points = [
                ((int(row["epoch"]) + 1) * images_per_epoch[name], float(row[key])) for row in rows if row.get(key)
            ]
            axis.plot([x for x, _ in points], [y for _, y in points], "o-", markersize=3, label=name)
        for reference, style in (("gray", "--"), ("true", ":")):
            column = f"val/{reference}_{key.removeprefix('val/')}"
            values = [float(row[column]) for rows in runs.values() for row in rows if row.get(column)]
            if values:
                axis.axhline(values[0], color="gray", linestyle=style, label=reference)
        axis.set(title=title, xlabel="pictures trained on", xscale="log")
    lines = {label: line for axis in axes for line, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=6, fontsize="small")
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _rollbacks(rows: list[dict[str, str]]) -> list[int]:
    """Return the epochs that are the first ones after a rollback."""
    counts = [(int(row["epoch"]), float(row[ROLLBACKS])) for row in rows if row.get(ROLLBACKS)]
    before = [0.0, *(count for _, count in counts)]
    return [epoch for (epoch, count), old in zip(counts, before, strict=False) if count > old]


def _group_by_panel(rows: list[dict[str, str]]) -> dict[str, list[str]]:
    """Return title -> keys of metrics for each panel; `val/gray_psnr` and `val/psnr` share one, as do all losses."""
    panels = defaultdict(list)
    for key in dict.fromkeys(key for row in rows for key in row if "/" in key and key != ROLLBACKS):
        group, name = key.split("/", 1)
        kinds = ("loss", "accuracy", "gradient_norm", "lr", "psnr", "ab_error", "colorfulness")
        panels[f"{group}: {next((kind for kind in kinds if name.endswith(kind)), name)}"].append(key)
    return dict(sorted(panels.items(), reverse=True))
