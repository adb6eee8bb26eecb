"""Say what this machine offers, and whether training works on it: `python -m colorgan.doctor [--json FILE] ...`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from colorgan import __version__, cli
from colorgan.cli import Parser, new_file, positive_int, program

if TYPE_CHECKING:
    from colorgan.diagnosis.advice import Problem
    from colorgan.diagnosis.machine import Machine
    from colorgan.diagnosis.trial import Outcome

DESCRIPTION = """Say what this machine offers, train for a moment on each of its devices and on all of them together,
and say what is not as it should be. The page names neither you nor the machine.
Exit code: 0 training works, 1 something prevents it, 2 wrong options."""


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code: 0 training works, 1 it does not, 2 bad usage, 130 interrupted."""
    return cli.run(lambda: _run(_parse(argv)), "nothing is written")


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog=program("doctor"), description=DESCRIPTION)
    seconds = "length of each training in seconds (%(default)s); starting it takes some more"
    parser.add_argument("--seconds", type=positive_int, default=30, metavar="S", help=seconds)
    parser.add_argument("--no-training", action="store_true", help="only look at the machine")
    parser.add_argument(
        "--out", type=Path, default=Path("checkpoints"), metavar="DIR", help="folder where runs will go (%(default)s)"
    )
    parser.add_argument("--json", type=new_file, metavar="FILE", help="write all facts to a new file, for bug reports")
    return parser.parse_args(argv)


def _run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from colorgan.diagnosis.advice import find_problems
    from colorgan.diagnosis.machine import inspect_machine
    from colorgan.diagnosis.page import conclusion_lines, machine_lines, outcome_lines
    from colorgan.diagnosis.trial import make_trials, run_trial

    console = Console(stderr=True)  # shows what is going on, if it is a terminal
    date = time.strftime("%Y-%m-%d")
    _print([f"colorgan {__version__} doctor, {date}: what this machine offers, and whether training works on it"])
    _print(["ok: as it should be    -: not here, and not needed    !: explained at the end", ""])
    with console.status("looking at the machine"):
        machine = inspect_machine(args.out)
    _print(machine_lines(machine, find_problems(machine)))
    outcomes: list[Outcome] = []
    if not (args.no_training or machine.error):
        _print([f"Training of experiments/gan.yaml, {args.seconds} s on each device and on several together"])
        for trial in make_trials(machine):
            with console.status(f"training on {trial.name}"):
                outcomes.append(run_trial(trial, args.seconds))
            _print(outcome_lines(outcomes[-1], find_problems(machine, outcomes)))
        print()
    problems = find_problems(machine, outcomes)
    _print(conclusion_lines(problems, trained=bool(outcomes)))
    if args.json:
        _write(args.json, date, machine, outcomes, problems)
    return 1 if any(problem.stops_training for problem in problems) else 0


def _print(lines: list[str]) -> None:
    print("\n".join(lines), flush=True)


def _write(path: Path, date: str, machine: Machine, outcomes: list[Outcome], problems: list[Problem]) -> None:
    content = {
        "date": date,
        "colorgan": __version__,
        "machine": asdict(machine),
        "trainings": [asdict(outcome) for outcome in outcomes],
        "problems": [asdict(problem) for problem in problems],
    }
    with path.open("x", encoding="utf-8") as file:
        file.write(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
