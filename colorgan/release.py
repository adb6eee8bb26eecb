"""Make a small checkpoint for release out of that of a run: `python -m colorgan.release CKPT OUT`."""

import argparse
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorgan import cli
from colorgan.cli import Parser, checkpoint_path, new_file, nonnegative_float, program
from colorgan.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor


def main(argv: list[str] | None = None) -> int:
    """Write a small checkpoint; return the exit code."""
    return cli.run(lambda: _release(_parser().parse_args(argv)), "nothing was written")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog=program("release"),
        description="Keep only what inference needs of a checkpoint: the averaged generator in half precision and its "
        "experiment, without discriminator, optimizers and paths. The result cannot resume a run.",
    )
    parser.add_argument("ckpt", type=checkpoint_path, metavar="CKPT", help="a checkpoint of a training run")
    parser.add_argument("out", type=new_file, metavar="OUT", help="new file to write")
    parser.add_argument("--saturation", type=nonnegative_float, default=1.0, help="factor of its chroma (%(default)s)")
    return parser


def _release(args: argparse.Namespace) -> int:
    import torch

    from colorgan.colorizer.checkpoint import load

    content = shrink(args.ckpt, args.saturation)
    torch.save(content, args.out)
    try:
        load(args.out)
    except UserError:  # never leave a checkpoint that cannot be loaded
        args.out.unlink()
        raise
    digest = hashlib.sha256(Path(args.out).read_bytes()).hexdigest()
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB, SHA-256 {digest}")
    return 0


def shrink(path: str | Path, saturation: float = 1.0) -> dict[str, Any]:
    """Make a small checkpoint for inference, with the averaged model in half precision.

    Args:
        path: a checkpoint.
        saturation: factor of the chroma. Models that predict the mean of possible colors predict too little chroma.

    Returns:
        the content of the checkpoint.

    Raises:
        UserError: `load` refuses the checkpoint, or `saturation` is not 1 and the codec does not predict ab itself.
    """
    from colorgan.colorizer import checkpoint

    content = checkpoint.read(path)
    colorizer = checkpoint.colorizer_of(content, path)
    experiment = checkpoint.shareable(content["experiment"])
    if saturation != 1:
        codec = experiment["codec"]
        if codec["name"] != "regress":
            raise UserError(
                f"--saturation: codec={codec['name']} cannot scale its colors; it is only for codec=regress"
            )
        experiment["codec"] = {**codec, "scale": codec["scale"] * saturation}
    state = {checkpoint.MODEL + key: _half(value) for key, value in colorizer.state_dict().items()}
    return {"experiment": experiment, "state_dict": state}


def _half(value: "Tensor") -> "Tensor":
    """Convert a floating-point tensor to half precision, and return others as they are."""
    return value.half() if value.is_floating_point() else value


if __name__ == "__main__":
    sys.exit(main())
