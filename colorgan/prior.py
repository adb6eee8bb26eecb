"""Measures how often each color bin occurs: `python -m colorgan.prior EXPERIMENT.yaml --out FILE [key=value ...]`."""

import argparse
import sys

from colorgan import config
from colorgan.cli import Parser, new_file, positive
from colorgan.codecs import CODECS
from colorgan.codecs.bins import Bins, save_prior
from colorgan.color import split
from colorgan.errors import UserError
from colorgan.systems import TABLES, build_data


def main(argv: list[str] | None = None) -> int:
    """Measures one prior; returns the exit code."""
    try:
        return _measure(_parser().parse_intermixed_args(argv))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    description = "Measures the color prior of a training set, for codec.prior=FILE."
    parser = Parser(prog="python -m colorgan.prior", description=description)
    parser.add_argument("experiment", help="a YAML file with the codec 'bins', as experiments/zhang2016.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="wins over the file")
    parser.add_argument("--out", type=new_file, required=True, help="the file to write; never one that is there")
    parser.add_argument("--pictures", type=positive, default=10_000, help="so many, spread over the set (%(default)s)")
    return parser


def _measure(args: argparse.Namespace) -> int:
    experiment = config.load(args.experiment, args.overrides, TABLES)
    codec = config.construct(CODECS, experiment.codec)
    if not isinstance(codec, Bins):
        raise UserError(f"codec={experiment.codec.name}: only codec=bins has a prior")
    codec.prepare(split(batch["rgb"])[1] for batch in build_data(experiment).look(args.pictures))
    save_prior(args.out, codec.prior)
    print(f"{args.out}: train with codec.prior={args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
