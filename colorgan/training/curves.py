"""The curves of a run, drawn from its metrics.csv."""

import math
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator

REFERENCE = ("gray_", "true_")  # metrics that no training changes: dashed


def draw_curves(rows: list[dict[str, str]], path: Path) -> None:
    """One panel for each kind of metric (losses, accuracies, ...) over the epochs.

    Args:
        rows: of metrics.csv, one an epoch.
        path: the PNG to write.
    """
    panels = _panels(rows)
    across = min(3, len(panels))
    down = math.ceil(len(panels) / across)
    figure, axes = plt.subplots(down, across, figsize=(4.5 * across, 3.2 * down), squeeze=False, layout="constrained")
    for axis, (title, keys) in zip(axes.flat, panels.items(), strict=False):
        for key in keys:
            points = [(int(row["epoch"]), float(row[key])) for row in rows if row.get(key)]
            name = key.split("/")[1]
            axis.plot(
                *zip(*points, strict=True), "--" if name.startswith(REFERENCE) else "o-", markersize=3, label=name
            )
        axis.set(title=title, xlabel="epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.legend(fontsize="small")
        if title.endswith(("lr", "loss")):
            axis.set_yscale("log")
    for axis in axes.flat[len(panels) :]:
        axis.remove()
    figure.savefig(path, dpi=100)
    plt.close(figure)


def draw_comparison(runs: dict[str, list[dict[str, str]]], seen: dict[str, int], path: Path) -> None:
    """One panel for each metric of colorizers, one line a run, over the pictures that it has been trained on.

    Args:
        runs: the rows of metrics.csv of each run, one an epoch.
        seen: pictures an epoch of each run.
        path: the PNG to write.
    """
    keys = {"val/ab_error": "ab error (Lab)", "val/psnr": "PSNR (dB)", "val/colorfulness": "colorfulness"}
    figure, axes = plt.subplots(1, len(keys), figsize=(4.5 * len(keys), 3.8), layout="constrained")
    for axis, (key, title) in zip(axes, keys.items(), strict=True):
        for name, rows in runs.items():
            points = [((int(row["epoch"]) + 1) * seen[name], float(row[key])) for row in rows if row.get(key)]
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


def _panels(rows: list[dict[str, str]]) -> dict[str, list[str]]:
    """Title -> keys: `val/gray_psnr` and `val/psnr` share a panel, as do all losses."""
    panels = defaultdict(list)
    for key in dict.fromkeys(key for row in rows for key in row if "/" in key):
        group, name = key.split("/", 1)
        kinds = ("loss", "accuracy", "gradient_norm", "lr", "psnr", "ab_error", "colorfulness")
        panels[f"{group}: {next((kind for kind in kinds if name.endswith(kind)), name)}"].append(key)
    return dict(sorted(panels.items(), reverse=True))
