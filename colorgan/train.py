"""`python -m colorgan.train EXPERIMENT.yaml [--resume] [--from CKPT] [--init CKPT] [--dry-run] [key=value ...]`."""

import argparse
import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only

from colorgan import config
from colorgan.cli import Parser
from colorgan.colorizer import checkpoint
from colorgan.errors import UserError
from colorgan.systems import TABLES
from colorgan.training import run_directory
from colorgan.training.fitting import fit

FIXED = ("net", "codec", "discriminator", "system.name", "system.body")  # what a checkpoint's weights stand for


def main(argv: list[str] | None = None) -> int:
    """Trains one experiment; returns the exit code."""
    try:
        return _train(_parser().parse_intermixed_args(argv))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m colorgan.train", description="Trains one experiment.")
    parser.add_argument("experiment", help="a YAML file, as in experiments/")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="wins over the file and over a checkpoint")
    parser.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint, if there is one")
    parser.add_argument(
        "--from", dest="back_to", metavar="CKPT", help="go back to this checkpoint; later ones are moved aside"
    )
    parser.add_argument(
        "--init", metavar="CKPT", help="start a new run with the averaged net of this checkpoint, of whatever data"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the resolved experiment and stop")
    return parser


def _train(args: argparse.Namespace) -> int:
    if args.init and args.back_to:
        raise UserError("--init starts a new run and --from goes back in one: give one of them")
    experiment = config.load(args.experiment, args.overrides, TABLES)
    run_dir = Path(experiment.run_dir)
    start = Path(args.back_to) if args.back_to else (run_directory.newest(run_dir) if args.resume else None)
    content = checkpoint.read(start) if start else {}
    init = Path(args.init) if args.init and not start else None
    if init:
        checkpoint.read(init)  # what cannot be read is said before anything begins
    if content:
        experiment = _continued(experiment, content, args.overrides, start)
    if args.dry_run:
        print(OmegaConf.to_yaml(OmegaConf.create(config.plain(experiment))), end="")
        return 0
    if content and (reason := run_directory.why_complete(content, experiment)):
        print(f"{run_dir} is complete: {reason}")
        return 0
    if rank_zero_only.rank == 0:
        _make_room(run_dir, start, going_back=bool(args.back_to), resuming=args.resume)
    lr_wins = any(item.startswith(("optim.lr=", "system.discriminator_lr=")) for item in args.overrides)
    run_id = None if args.back_to else content.get("wandb_id")  # W&B does not go back: a new branch is a new run
    fit(experiment, start, init, run_id, lr_wins)
    _say_where(experiment)
    return 0


def _continued(written: DictConfig, content: dict[str, Any], overrides: list[str], start: Path) -> DictConfig:
    """The stored experiment under the overrides; it goes on in the run directory that the command line means."""
    stored = {**content["experiment"], "run_dir": written.run_dir}
    experiment = config.resolve(stored, overrides, TABLES, origin=str(start))
    for key in FIXED:
        old, new = (OmegaConf.select(OmegaConf.create(node), key) for node in (stored, config.plain(experiment)))
        if old != new:
            raise UserError(f"{key}: {start} was trained with another one; start a new run with run_dir=... instead")
    return experiment


def _make_room(run_dir: Path, start: Path | None, going_back: bool, resuming: bool) -> None:
    """Sees to it that nothing of an earlier run is overwritten."""
    if going_back and start.resolve().parent == run_dir.resolve():
        if aside := run_directory.set_aside(run_dir, start):
            print(f"what came after {start.name} is now in {aside}")
    elif run_directory.holds_run(run_dir) and not (resuming and start):
        raise UserError(f"{run_dir} holds a run: go on with --resume, or start another with run_dir=...")


@rank_zero_only
def _say_where(experiment: DictConfig) -> None:
    best = Path(experiment.run_dir) / "best.ckpt"
    if experiment.system.name == "classifier":
        print(f"{experiment.run_dir} holds the run; start a net with the body {experiment.system.body} from it with")
        print(f"  net.weights={best}")
        return
    print(
        f"checkpoints, metrics.csv, curves.png and samples/ are in {experiment.run_dir}; color your own pictures with"
    )
    print(f"  python -m colorgan.sample --ckpt {best} PICTURE ...")


if __name__ == "__main__":
    sys.exit(main())
