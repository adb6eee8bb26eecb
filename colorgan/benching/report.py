"""The results of a benchmark: figures with their spread, as text and as JSON, and the comparison with older ones."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from colorgan.errors import UserError
from colorgan.facts import describe_hardware, describe_software, differences

MEGABYTE = 1e6  # bytes
CPU_TIME = "CPU time of the process"  # name of a figure: what the clock says of a busy machine, this does not
TOLERANCE = 0.03  # a smaller difference is none
NOT_COMPARED = ("hardware.memory", "hardware.load")  # facts about the moment, or of no influence
DEVIATIONS = 3.0  # nor is a difference of fewer median absolute deviations, those of both results taken together


@dataclass(frozen=True)
class Figure:
    """A measured quantity.

    Args:
        unit: of the values.
        values: one for each repeat.
        better: whether larger or smaller values are better, for the quantities that a comparison judges; None for
            others, as the parts of a whole.
    """

    unit: str
    values: list[float]
    better: Literal["larger", "smaller"] | None = None

    @property
    def median(self) -> float:
        """The median of the values."""
        return median(self.values)

    @property
    def deviation(self) -> float:
        """The median absolute deviation (MAD) of the values from their median."""
        return median(abs(value - self.median) for value in self.values)


@dataclass
class Result:
    """What a benchmark measured.

    Args:
        mode: of the benchmark.
        device: type of the device.
        settings: what was run, without paths of temporary files; JSON.
        figures: by name, in the order of the table.
        flops: floating-point operations for a picture by what computes them; empty if they were not counted.
        peaks: FLOP/s of the machine, from `peak.measure_peaks`.
        share: of the largest peak in the type of the run that the networks reach, in [0, 1]; None if not known.
        notes: lines for the user.
    """

    mode: str
    device: str
    settings: dict[str, Any]
    figures: dict[str, Figure]
    flops: dict[str, float]
    peaks: dict[str, float]
    share: float | None
    notes: list[str]


def as_json(result: Result, load: float) -> dict[str, Any]:
    """Return a result with the facts about this process, for a JSON file.

    Args:
        result: of a benchmark.
        load: of the machine before it, from `os.getloadavg`.
    """
    figures = {
        name: {"median": figure.median, "deviation": figure.deviation, **asdict(figure)}
        for name, figure in result.figures.items()
    }
    return {
        "mode": result.mode,
        **describe_software(),
        "hardware": {**describe_hardware(result.device), "load": load},
        "settings": result.settings,
        "figures": figures,
        "flops_per_picture": result.flops,
        "peaks": result.peaks,
        "share_of_peak": result.share,
        "notes": result.notes,
    }


def as_text(content: dict[str, Any]) -> str:
    """Return a table of what `as_json` returned."""
    rows = [(name, _number(f["median"]), f"± {_number(f['deviation'])}", f["unit"]) for name, f in _figures(content)]
    rows += [
        (f"FLOP, {name}", _number(value / 1e9), "", "GFLOP/picture")
        for name, value in content["flops_per_picture"].items()
    ]
    rows += [(f"peak, {name}", _number(value / 1e9), "", "GFLOP/s") for name, value in content["peaks"].items()]
    if content["share_of_peak"] is not None:
        rows.append(("share of the peak", _number(100 * content["share_of_peak"]), "", "%"))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [f"{a:<{widths[0]}}  {b:>{widths[1]}} {c:<{widths[2]}}  {d}".rstrip() for a, b, c, d in rows]
    hardware, versions = content["hardware"], content["versions"]
    notes = list(content["notes"])
    if hardware["load"] > hardware["cores"] / 2:
        notes.append(f"the machine was busy: a load of {hardware['load']:.1f} on {hardware['cores']} cores")
    device = hardware["gpus"] or [f"{hardware['threads']} threads"]
    where = f"{hardware['cpu']}, nproc {hardware['cores']}, {hardware['usable_cores']} usable; {', '.join(device)}"
    changes = " and changes" if content["changes"] else ""
    commit = f"commit {content['commit'][:10]}{changes}" if content["commit"] else "a wheel"
    made = f"colorgan {versions['colorgan']} ({commit}), torch {versions['torch']}, {content['date']}"
    return "\n".join([*lines, *notes, where, made])


def read(path: Path) -> dict[str, Any]:
    """Read a result that `colorgan.bench --json` wrote.

    Raises:
        UserError: the file cannot be read, or is another one.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not {"mode", "hardware", "settings", "figures", "commit"} <= content.keys():
            raise ValueError
    except (OSError, ValueError, AttributeError):
        raise UserError(f"{path}: not a result of colorgan.bench --json") from None
    return content


def require_same(old: dict[str, Any], new: dict[str, Any], part: str, path: Path) -> None:
    """Check that a part of two results is the same; keys that only one of two versions has are no difference.

    Args:
        old: result from `read`.
        new: result, of which this part is there.
        part: "mode", "settings" or "hardware".
        path: of the old result, for the message.

    Raises:
        UserError: with what differs first.
    """
    for key, before, now in differences({part: old[part]}, {part: new[part]}):
        if key not in NOT_COMPARED:
            raise UserError(f"{path}: {key} was {before} and is {now}: there is nothing to compare")


def compare(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, bool]:
    """Compare two results.

    A judged figure is lost where it is worse by more than 3% and by more than three times the root of the sum of both
    squared median absolute deviations.

    Returns:
        a table of the ratios, and whether a figure is lost.
    """
    rows, lost = [("", "old", "new", "new/old", "")], False
    for name, now in _figures(new):
        before = old["figures"].get(name)
        if before is None or not before["median"]:
            continue
        ratio = now["median"] / before["median"]
        verdict = _judge(before, now)
        lost |= verdict == "lost"
        rows.append((name, _number(before["median"]), _number(now["median"]), f"{ratio:.3f}", verdict))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        f"{row[0]:<{widths[0]}}  " + "  ".join(f"{row[i]:>{widths[i]}}" for i in (1, 2, 3)) + f"  {row[4]}"
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines), lost


def _judge(before: dict[str, Any], now: dict[str, Any]) -> str:
    if now["better"] is None:
        return ""
    change = now["median"] - before["median"]
    loss = -change if now["better"] == "larger" else change
    noise = max(TOLERANCE * abs(before["median"]), DEVIATIONS * math.hypot(before["deviation"], now["deviation"]))
    return "lost" if loss > noise else "gained" if -loss > noise else "the same"


def _figures(content: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return list(content["figures"].items())


def _number(value: float) -> str:
    """Return three significant digits or the whole part, whichever is longer."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
