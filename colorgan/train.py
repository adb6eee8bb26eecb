"""Train: `python -m colorgan.train EXPERIMENT [--resume] [--from CKPT] [--init CKPT] [--dry-run] [key=value ...]`."""

import argparse
import sys

from colorgan import cli
from colorgan.cli import Parser, program
from colorgan.errors import UserError


def main(argv: list[str] | None = None) -> int:
    """Train an experiment, and return the exit code: 0 done, 2 error, 130 interrupted."""
    return cli.run(lambda: _train(_parse(argv)), "the same command with --resume goes on from the last checkpoint")


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog=program("train"), description="Train an experiment.")
    parser.add_argument("experiment", help="a YAML file, or the name of a packaged experiment, such as gan")
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="settings that replace those of the file or the checkpoint"
    )
    parser.add_argument(
        "--resume", action="store_true", help="resume from the latest checkpoint of the run, if there is one"
    )
    parser.add_argument(
        "--from",
        dest="back_to",
        metavar="CKPT",
        help="go back to this checkpoint; later ones are moved to a new folder",
    )
    parser.add_argument(
        "--init", metavar="CKPT", help="start a new run with the averaged net of this checkpoint, of any data"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the resolved experiment and stop")
    args = parser.parse_intermixed_args(argv)
    if args.init and args.back_to:
        raise UserError("--init starts a new run and --from resumes one: give only one of them")
    return args


def _train(args: argparse.Namespace) -> int:
    from colorgan.training.start import plan, run

    planned = plan(args.experiment, args.overrides, args.resume, args.back_to, args.init)
    if args.dry_run:
        print(planned.as_yaml(), end="")
    elif planned.complete:
        print(f"{planned.experiment.run_dir} is complete: {planned.complete}")
    else:
        run(planned)
    return 0


if __name__ == "__main__":
    sys.exit(main())
