"""Measure how often each color bin occurs: `python -m colorgan.prior EXPERIMENT --out FILE [key=value ...]`."""

import argparse
import sys

from colorgan import cli
from colorgan.cli import Parser, new_file, positive_int, program
from colorgan.errors import UserError


def main(argv: list[str] | None = None) -> int:
    """Measure a color prior; return the exit code."""
    return cli.run(lambda: _measure(_parser().parse_intermixed_args(argv)), "nothing is written")


def _parser() -> argparse.ArgumentParser:
    description = "Measure the color prior of a training set, for codec.prior=FILE."
    parser = Parser(prog=program("prior"), description=description)
    parser.add_argument(
        "experiment", help="a YAML file or the name of a packaged experiment with codec=bins, such as zhang2016"
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings that replace those of the file")
    parser.add_argument("--out", type=new_file, required=True, help="new file to write")
    parser.add_argument(
        "--pictures",
        type=positive_int,
        default=10_000,
        help="number of training pictures to use, evenly spread (%(default)s)",
    )
    return parser


def _measure(args: argparse.Namespace) -> int:
    from colorgan import config
    from colorgan.codecs import CODECS
    from colorgan.codecs.bins import Bins, save_prior
    from colorgan.color import split
    from colorgan.data.building import build_data
    from colorgan.systems import TABLES

    experiment = config.load(args.experiment, args.overrides, TABLES)
    codec = config.construct(CODECS, experiment.codec)
    if not isinstance(codec, Bins):
        raise UserError(f"codec={experiment.codec.name}: only codec=bins has a prior")
    codec.initialize(split(batch["rgb"])[1] for batch in build_data(experiment).sample_train_batches(args.pictures))
    save_prior(args.out, codec.prior)
    print(f"{args.out}: train with codec.prior={args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
