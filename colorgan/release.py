"""Makes of a run's checkpoint a small one to hand on: `python -m colorgan.release CKPT OUT`."""

import argparse
import hashlib
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from colorgan import cli, config, load
from colorgan.cli import Parser, existing, factor, new_file
from colorgan.errors import UserError
from colorgan.systems import Colorizer

OF_THE_MACHINE = ("run_dir", "trainer", "checkpoint", "wandb")  # nodes that say where and how a run ran


def main(argv: list[str] | None = None) -> int:
    """Writes one checkpoint; returns the exit code."""
    return cli.run(lambda: _release(_parser().parse_args(argv)), "nothing was written")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m colorgan.release",
        description="Keeps of a checkpoint what colors: the averaged generator in half precision and its experiment, "
        "without discriminator, optimizers and paths. It colors as the checkpoint does; it cannot resume a run.",
    )
    parser.add_argument("ckpt", type=existing, metavar="CKPT", help="a checkpoint of a training run")
    parser.add_argument("out", type=new_file, metavar="OUT", help="the file to write; never one that is there")
    parser.add_argument("--saturation", type=factor, default=1.0, help="its colors are so much stronger (%(default)s)")
    return parser


def _release(args: argparse.Namespace) -> int:
    content = shrink(load(args.ckpt), args.saturation)
    torch.save(content, args.out)
    try:
        load(args.out)
    except UserError:  # what cannot be read back must not be handed on
        args.out.unlink()
        raise
    digest = hashlib.sha256(Path(args.out).read_bytes()).hexdigest()
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB, SHA-256 {digest}")
    return 0


def shrink(model: Colorizer, saturation: float = 1.0) -> dict[str, Any]:
    """The checkpoint that colors as `model` does: its averaged net under the trained net's names, too, stored once.

    Args:
        model: trained.
        saturation: a factor of the chroma: an average of colors is duller than they are.

    Raises:
        UserError: another saturation than 1 of a net that does not predict ab itself.
    """
    experiment = config.plain(model.experiment)
    codec = experiment["codec"]
    if saturation != 1:
        if codec["name"] != "regress":
            raise UserError(f"--saturation: codec={codec['name']} has no scale of colors; it is for codec=regress")
        codec["scale"] *= saturation
    experiment = {key: value for key, value in experiment.items() if key not in OF_THE_MACHINE}
    experiment["data"]["root"] = None
    if experiment["system"]["name"] == "adversarial":
        experiment["system"] = "supervised"
        del experiment["discriminator"]
    state = {key: _half(value) for key, value in model.state_dict().items() if key.startswith(("ema.", "codec."))}
    average = "ema.module."
    state |= {f"net.{key.removeprefix(average)}": value for key, value in state.items() if key.startswith(average)}
    return {"experiment": experiment, "state_dict": state}


def _half(value: Tensor) -> Tensor:
    return value.half() if value.is_floating_point() else value


if __name__ == "__main__":
    sys.exit(main())
