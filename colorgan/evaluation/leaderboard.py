"""The table of a comparison for a README: what matters of each system in one line."""

import re
import statistics
from typing import Any

from colorgan.evaluation.definitions import METRICS, number
from colorgan.evaluation.painters import FLOORS, TRUTH

OF_NETWORKS = ("lpips", "fid", "fid_classifier", "top1")
COLUMNS = ("psnr", "ssim", "ab_error", "ciede2000", "auc", "auc_rebalanced", "colorfulness", *OF_NETWORKS)


def as_markdown(results: dict[str, Any], seen: dict[str, int], command: str) -> str:
    """One row a system, floors and truth included; of several seeds the mean and its deviation beside; notes below.

    Args:
        results: of `results.summarize`.
        seen: the pictures that each system was trained on, repeats counted.
        command: what made all this; stands under the table.
    """
    systems = results["systems"]
    columns = [key for key in COLUMNS if systems[FLOORS[0]][key]["mean"] is not None]
    lines = [
        f"| system | pictures trained on | {' | '.join(METRICS[key].title for key in columns)} |",
        "|---" * (2 + len(columns)) + "|",
    ]
    for title, names in _groups(systems).items():
        cells = [_cell([systems[name][key]["mean"] for name in names], key) for key in columns]
        pictures = [seen[name] for name in names if name in seen]
        lines.append(f"| {title} | {round(statistics.mean(pictures)):,} |" if pictures else f"| {title} | |")
        lines[-1] += f" {' | '.join(cells)} |"
    truth = [results["truth"].get(key) for key in columns]
    cells = [
        "" if cell is None or cell["mean"] is None else _cell([cell["mean"]], key)
        for key, cell in zip(columns, truth, strict=True)
    ]
    lines.append(f"| {TRUTH} | | {' | '.join(cells)} |")
    data = results["data"]
    where = f"{data['pictures']} pictures at {data['size']} px; nproc {data['nproc']}, torch {data['torch']}."
    notes = [f"- {note}" for note in results["notes"]]
    return "\n".join([*lines, "", where, *notes, "", "```sh", command, "```", ""])


def _groups(systems: dict[str, Any]) -> dict[str, list[str]]:
    """The systems by their names; runs of one experiment with several seeds form one."""
    groups: dict[str, list[str]] = {}
    for name in systems:
        groups.setdefault(re.sub(r" seed \d+$", "", name), []).append(name)
    return {f"{name}, {len(some)} seeds" if len(some) > 1 else some[0]: some for name, some in groups.items()}


def _cell(values: list[float], key: str) -> str:
    mean = number(key, statistics.mean(values))
    return f"{mean} ± {number(key, statistics.stdev(values))}" if len(values) > 1 else mean
