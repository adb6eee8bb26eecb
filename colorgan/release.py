"""Make a small checkpoint to hand on out of a run's: `python -m colorgan.release CKPT OUT`."""

import argparse
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorgan import cli
from colorgan.cli import Parser, existing, factor, new_file
from colorgan.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

OF_THE_MACHINE = ("run_dir", "trainer", "checkpoint", "wandb")  # nodes that say where and how a run was trained


def main(argv: list[str] | None = None) -> int:
    """Write one checkpoint; return the exit code."""
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
    import torch

    from colorgan.colorizer.checkpoint import load

    content = shrink(args.ckpt, args.saturation)
    torch.save(content, args.out)
    try:
        load(args.out)
    except UserError:  # what cannot be read back must not be handed on
        args.out.unlink()
        raise
    digest = hashlib.sha256(Path(args.out).read_bytes()).hexdigest()
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB, SHA-256 {digest}")
    return 0


def shrink(path: str | Path, saturation: float = 1.0) -> dict[str, Any]:
    """Return a small checkpoint that colors as that of `path`: its averaged model in half precision.

    Args:
        path: a checkpoint.
        saturation: factor of the chroma: an average of possible colors is duller than they are.

    Raises:
        UserError: as `load`; a saturation other than 1 for a codec that does not predict ab itself.
    """
    from colorgan.colorizer import checkpoint

    content = checkpoint.read(path)
    colorizer = checkpoint.colorizer_of(content, path)
    experiment = {key: value for key, value in content["experiment"].items() if key not in OF_THE_MACHINE}
    if saturation != 1:
        codec = experiment["codec"]
        if codec["name"] != "regress":
            raise UserError(f"--saturation: codec={codec['name']} has no scale of colors; it is for codec=regress")
        experiment["codec"] = {**codec, "scale": codec["scale"] * saturation}
    experiment["data"] = {**experiment["data"], "root": None}
    experiment["system"] = "supervised"
    experiment.pop("discriminator", None)
    state = {checkpoint.MODEL + key: _half(value) for key, value in colorizer.state_dict().items()}
    return {"experiment": experiment, "state_dict": state}


def _half(value: "Tensor") -> "Tensor":
    return value.half() if value.is_floating_point() else value


if __name__ == "__main__":
    sys.exit(main())
