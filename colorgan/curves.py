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


def _panels(rows: list[dict[str, str]]) -> dict[str, list[str]]:
    """Title -> keys: `val/gray_psnr` and `val/psnr` share a panel, as do all losses."""
    panels = defaultdict(list)
    for key in dict.fromkeys(key for row in rows for key in row if "/" in key):
        group, name = key.split("/", 1)
        kinds = ("loss", "accuracy", "gradient_norm", "lr", "psnr", "ab_error", "colorfulness")
        panels[f"{group}: {next((kind for kind in kinds if name.endswith(kind)), name)}"].append(key)
    return dict(sorted(panels.items(), reverse=True))
