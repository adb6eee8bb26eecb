"""Train: `python -m colorgan.train EXPERIMENT [--resume] [--from CKPT] [--init CKPT] [--dry-run] [key=value ...]`."""

import argparse
import sys

from colorgan.cli import Parser
from colorgan.errors import UserError


def main(argv: list[str] | None = None) -> int:
    """Train one experiment; return the exit code."""
    try:
        return _train(_parse(argv))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m colorgan.train", description="Trains one experiment.")
    parser.add_argument("experiment", help="a YAML file, or the name of an experiment that comes with colorgan, as gan")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="wins over the file and over a checkpoint")
    parser.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint, if there is one")
    parser.add_argument(
        "--from", dest="back_to", metavar="CKPT", help="go back to this checkpoint; later ones are moved aside"
    )
    parser.add_argument(
        "--init", metavar="CKPT", help="start a new run with the averaged net of this checkpoint, of whatever data"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the resolved experiment and stop")
    args = parser.parse_intermixed_args(argv)
    if args.init and args.back_to:
        raise UserError("--init starts a new run and --from goes back in one: give one of them")
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
