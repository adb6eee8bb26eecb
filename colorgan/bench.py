"""Measure speed and memory: `python -m colorgan.bench {train,sample,evaluate} ... [--json FILE] [--compare FILE]`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from colorgan import cli
from colorgan.cli import Parser, existing_path, new_file, positive_int, program

if TYPE_CHECKING:
    from colorgan.benching.report import Result

DESCRIPTION = """Measure speed and memory after a warm-up: the median of several repeats, and their median absolute
deviation. `colorgan.bench MODE --help` shows the options of a mode. With --compare the exit code is 1 where a figure
is worse by more than 3% and by more than the noise."""
MODES = {"train": "a training experiment"}


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code: 0 measured, 1 slower than the old result, 2 bad usage, 130 interrupted."""
    return cli.run(lambda: _run(_parse(sys.argv[1:] if argv is None else argv)), "nothing is written")


def _parse(argv: list[str]) -> argparse.Namespace:
    if not argv or argv[0] not in MODES:
        parser = Parser(prog=program("bench"), description=DESCRIPTION)
        parser.add_argument("mode", choices=MODES, metavar="MODE", help=_list(MODES))
        return parser.parse_args(argv[:1])
    mode = argv[0]
    parser = Parser(prog=f"{program('bench')} {mode}", description=f"Measure the speed and memory of {MODES[mode]}.")
    parser.set_defaults(mode=mode)
    if mode == "train":
        _add_train_options(parser)
    parser.add_argument("--repeats", type=positive_int, default=5, metavar="N", help="(%(default)s)")
    parser.add_argument("--json", type=new_file, metavar="FILE", help="write the result to a new file")
    old = "print the ratios to an older result of the same work on the same hardware"
    parser.add_argument("--compare", type=existing_path, metavar="OLD.json", help=old)
    return parser.parse_intermixed_args(argv[1:])


def _add_train_options(parser: Parser) -> None:
    parser.add_argument("experiment", help="a YAML file, or the name of a packaged experiment, such as gan")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings that replace those of the file")
    parser.add_argument("--batches", type=positive_int, default=10, metavar="N", help="batches a repeat (%(default)s)")
    parser.add_argument("--warm-up", type=positive_int, default=5, metavar="N", help="batches before (%(default)s)")


def _run(args: argparse.Namespace) -> int:
    from pytorch_lightning.utilities import rank_zero_only

    from colorgan.benching import report

    settings, measure = {"train": _plan_train}[args.mode](args)
    old = report.read(args.compare) if args.compare else None
    if old:
        for part in ("mode", "settings"):
            report.require_same(old, {"mode": args.mode, "settings": settings}, part, args.compare)
    load = os.getloadavg()[0]
    content = report.as_json(measure(), load)
    if rank_zero_only.rank:  # one of several processes
        return 0
    print(report.as_text(content))
    lost = False
    if old:
        report.require_same(old, content, "hardware", args.compare)
        text, lost = report.compare(old, content)
        print(text)
    if args.json:
        args.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(f"written: {args.json}")
    return int(lost)


def _plan_train(args: argparse.Namespace) -> tuple[dict, Callable[[], Result]]:
    """Return the settings of a benchmark, and what runs it."""
    from colorgan.benching import training

    experiment = training.load_experiment(args.experiment, args.overrides)
    numbers = (args.repeats, args.batches, args.warm_up)
    return training.settings_of(experiment, *numbers), lambda: training.measure_training(experiment, *numbers)


def _list(modes: dict[str, str]) -> str:
    return "; ".join(f"{name}: {what}" for name, what in modes.items())


if __name__ == "__main__":
    sys.exit(main())
