"""Color photographs at their full resolution: `python -m colorgan.sample [--ckpt CKPT] [--out DIR] INPUT ...`."""

import argparse
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from colorgan import cli
from colorgan.cli import Parser, add_device_option, existing_path, nonnegative_float, pick_device, positive_int, program
from colorgan.errors import UserError, one_line
from colorgan.imaging.formats import SUFFIXES

if TYPE_CHECKING:
    from colorgan.colorizer.colorizer import Colorizer
    from colorgan.colorizer.hints import Hint
    from colorgan.imaging.outputs import Job, Plan

    HintsByFile = dict[Path, list[Hint]]


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0 done, 1 a file failed, 2 bad usage, 130 interrupted."""
    return cli.run(lambda: run(parse(argv)), "colored photographs are kept, and the same command continues from there")


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Parse the command line; raise UserError if it is wrong."""
    parser = Parser(prog=program("sample"), description=__doc__)
    parser.add_argument(
        "inputs", nargs="+", type=existing_path, metavar="INPUT", help="a photograph or a folder of them"
    )
    parser.add_argument("--ckpt", help="a checkpoint of a training run (the released one)")
    parser.add_argument("--out", type=Path, default=Path("colorized"), help="folder for the outputs (%(default)s)")
    parser.add_argument("--size", type=positive_int, help="short side in px to predict color at (the model's own)")
    add_device_option(parser)
    edges = "guided: take color from pixels of the same lightness, so that it stays within edges (%(default)s)"
    parser.add_argument("--upsample", choices=["guided", "bilinear"], default="guided", help=edges)
    parser.add_argument(
        "--saturation", type=nonnegative_float, default=1.0, help="below 1 pale, above 1 vivid (%(default)s)"
    )
    parser.add_argument(
        "--batch-size", type=positive_int, default=8, help="number of photographs per batch (%(default)s)"
    )
    parser.add_argument("--jobs", type=positive_int, metavar="N", help="number of threads (one per core)")
    formats = [suffix.removeprefix(".") for suffix in SUFFIXES]
    parser.add_argument("--format", choices=formats, type=str.lower, help="format of the outputs (that of the input)")
    parser.add_argument("--overwrite", action="store_true", help="replace existing outputs, but never an input")
    parser.add_argument("--decode", help="how to decode a predicted distribution to a color; any wrong name lists all")
    parser.add_argument(
        "--samples", type=positive_int, default=1, metavar="N", help="number of colored versions of each photograph"
    )
    parser.add_argument(
        "--seed", type=int, help="seed of the versions; version n of seed S is version 1 of seed S+n-1 (0)"
    )
    parser.add_argument("--hints", type=existing_path, metavar="FILE", help="JSON file of color hints (see the README)")
    places = "write, in place of coloring, hints at the N places of each photograph where one would help most"
    parser.add_argument("--suggest", type=positive_int, metavar="N", help=places)
    args = parser.parse_args(argv)
    if args.samples > 1 or args.seed is not None:
        if args.decode not in (None, "sample"):
            parser.error(f"--decode {args.decode} gives only one version; leave it out, or --samples and --seed")
        args.decode = "sample"
    args.seed = args.seed or 0
    return args


def run(args: argparse.Namespace) -> int:
    """Color all inputs, print a summary, and return the exit code."""
    from rich.progress import Progress

    from colorgan.colorizer.checkpoint import load
    from colorgan.colorizer.hints import read_hints
    from colorgan.imaging.outputs import make_plan

    model = load(args.ckpt, device=pick_device(args.device))
    if args.hints or args.suggest:
        model.require_hints()
    if args.decode:
        model.choose_decoding(args.decode, args.seed)
    plan = make_plan(args.inputs, args.out, f".{args.format}" if args.format else None, args.overwrite, args.samples)
    hints = read_hints(args.hints, plan.sources) if args.hints else {}
    if args.suggest:
        return suggest_hints(model, plan, hints, args.suggest)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {args.out}: {error.strerror}") from error
    console = cli.make_console()
    for line in plan.notes + plan.refused:
        console.print(one_line(line))
    failed = len(plan.refused)
    with Progress(console=console, disable=len(plan.jobs) < 2 or not sys.stderr.isatty()) as progress:
        results = color_samples(model, plan.jobs, hints, args)
        for error in progress.track(results, total=len(plan.jobs), description="coloring"):
            if error:
                console.print(str(error))
                failed += 1
    colored = len(plan.jobs) + len(plan.refused) - failed
    hint = " (they exist already: --overwrite replaces them)" if plan.skipped else ""
    print(f"{colored} colored, {plan.skipped} skipped{hint}, {failed} failed: see {args.out}")
    return 1 if failed else 0


def suggest_hints(model: "Colorizer", plan: "Plan", hints: "HintsByFile", count: int) -> int:
    """Print hints of the predicted color at the places where one would help most, as JSON; return the exit code.

    Args:
        model: a model that takes hints and knows how sure it is.
        plan: its sources are the photographs.
        hints: that are known; they are printed, too.
        count: of the places in each photograph.
    """
    from colorgan.colorizer.hints import as_entry
    from colorgan.colorizer.suggesting import suggest
    from colorgan.imaging import images
    from colorgan.imaging.arrays import to_tensor

    failures, found = list(plan.refused), {}
    for file in plan.sources:
        try:
            picture = to_tensor(images.read(file).levels)
        except UserError as error:
            failures.append(str(error))
            continue
        places = list(hints.get(file, []))
        for _ in range(count):
            places.append(suggest(model, picture, places))
        found[str(file)] = [as_entry(hint) for hint in places]
    print(json.dumps(found, indent=1))
    for line in failures:
        print(one_line(line), file=sys.stderr)
    return 1 if failures else 0


def color_samples(
    model: "Colorizer", jobs: list["Job"], hints: "HintsByFile", args: argparse.Namespace
) -> Iterator[UserError | None]:
    """Color files with `color_files`, with a different seed for each version.

    Yields:
        None for each colored file, else the error.
    """
    import torch

    from colorgan.colorizer.files import Options, color_files

    if args.jobs:
        torch.set_num_threads(args.jobs)
    options = Options(args.size, args.upsample, args.saturation, args.batch_size, torch.get_num_threads())
    for sample, group in itertools.groupby(jobs, key=lambda job: job.sample):
        if args.decode:
            model.choose_decoding(args.decode, args.seed + sample)
        yield from color_files(model, list(group), hints, options)


if __name__ == "__main__":
    cli.exit_quickly(main())
