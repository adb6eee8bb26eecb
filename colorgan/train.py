"""Train: `python -m colorgan.train EXPERIMENT [--resume] [--from CKPT] [--init CKPT] [--dry-run] [key=value ...]`."""

import argparse
import os
import shlex
import sys

from colorgan import cli
from colorgan.cli import Parser, program
from colorgan.errors import UserError


def main(argv: list[str] | None = None) -> int:
    """Train an experiment, and return the exit code: 0 done, 2 error, 128 + the signal that stopped it."""
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
    same_bits = "compute the same bits on every run of a machine, which may be slower: trainer.deterministic=true"
    parser.add_argument("--deterministic", action="store_true", help=same_bits)
    parser.add_argument("--dry-run", action="store_true", help="print the resolved experiment and stop")
    args = parser.parse_intermixed_args(argv)
    if args.init and args.back_to:
        raise UserError("--init starts a new run and --from resumes one: give only one of them")
    return args


def _train(args: argparse.Namespace) -> int:
    from colorgan.training.signals import Stopped, requeue_slurm_job
    from colorgan.training.start import plan, run

    overrides = [*args.overrides, *["trainer.deterministic=true"] * args.deterministic]
    planned = plan(args.experiment, overrides, args.resume, args.back_to, args.init)
    if args.dry_run:
        print(planned.as_yaml(), end="")
        return 0
    if planned.complete:
        print(f"{planned.experiment.run_dir} is complete: {planned.complete}")
        return 0
    try:
        run(planned)
    except Stopped as stopped:
        if int(os.environ.get("LOCAL_RANK", 0)) == 0:
            command = shlex.join([args.experiment, "--resume", *args.overrides])
            print(f"stopped by {stopped}, everything is saved; it goes on with", file=sys.stderr)
            print(f"  {program('train')} {command}", file=sys.stderr, flush=True)
            requeue_slurm_job(stopped.number)
        return stopped.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
