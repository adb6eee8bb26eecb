"""Measure speed and memory: `python -m colorgan.bench {train,sample,evaluate} ... [--json FILE] [--compare FILE]`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from colorgan import cli
from colorgan.cli import Parser, add_device_option, existing_path, new_file, pick_device, positive_int, program

if TYPE_CHECKING:
    from colorgan.benching.report import Result

DESCRIPTION = """Measure speed and memory after a warm-up: the median of several repeats, and their median absolute
deviation. `colorgan.bench MODE --help` shows the options of a mode. With --compare the exit code is 1 where a figure
is worse by more than 3% and by more than the noise."""
MODES = {
    "train": "a training experiment",
    "sample": "coloring photographs",
    "evaluate": "an evaluation, without LPIPS and FID, of crops of the embedded photographs",
}


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
    {"train": _add_train_options, "sample": _add_sample_options, "evaluate": _add_evaluate_options}[mode](parser)
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


def _add_sample_options(parser: Parser) -> None:
    inputs = "a photograph, or the size of one to make (640x480 4000x3000)"
    parser.add_argument("inputs", nargs="*", metavar="FILE|SIZE", help=inputs)
    parser.add_argument("--pictures", type=positive_int, default=1, metavar="N", help="copies of each (%(default)s)")
    _add_model_options(parser)


def _add_evaluate_options(parser: Parser) -> None:
    parser.add_argument("--pictures", type=positive_int, default=64, metavar="N", help="their number (%(default)s)")
    parser.add_argument("--size", type=positive_int, default=256, help="side of the squares in px (%(default)s)")
    _add_model_options(parser)


def _add_model_options(parser: Parser) -> None:
    parser.add_argument("--ckpt", help="a checkpoint of a training run (the released one)")
    add_device_option(parser)


def _run(args: argparse.Namespace) -> int:
    from pytorch_lightning.utilities import rank_zero_only

    from colorgan.benching import report

    plans = {"train": _plan_train, "sample": _plan_sample, "evaluate": _plan_evaluate}
    settings, measure = plans[args.mode](args)
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


def _plan_sample(args: argparse.Namespace) -> tuple[dict, Callable[[], Result]]:
    from colorgan.benching import coloring

    device, inputs = pick_device(args.device), args.inputs or list(coloring.SIZES)
    coloring.check_inputs(inputs)
    given = (args.ckpt, inputs, args.pictures, args.repeats)
    return coloring.settings_of(*given), lambda: coloring.measure_coloring(*given, device)


def _plan_evaluate(args: argparse.Namespace) -> tuple[dict, Callable[[], Result]]:
    from colorgan.benching import judging

    device = pick_device(args.device)
    given = (args.ckpt, args.pictures, args.size, args.repeats)
    return judging.settings_of(*given), lambda: judging.measure_evaluation(*given, device)


def _list(modes: dict[str, str]) -> str:
    return "; ".join(f"{name}: {what}" for name, what in modes.items())


if __name__ == "__main__":
    sys.exit(main())
