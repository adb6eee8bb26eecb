"""Evaluate colorizers: `python -m colorgan.evaluate --ckpt CKPT --pred DIR --data DIR [--json F] [--html F] ...`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from colorgan import cli
from colorgan.cli import (
    Parser,
    add_device_option,
    add_network_options,
    checkpoint_path,
    existing_path,
    new_file,
    pick_device,
    positive_int,
    program,
    require_video_extra,
)
from colorgan.errors import UserError
from colorgan.evaluation.protocols import OWN, PROTOCOLS, calibration

if TYPE_CHECKING:  # heavy modules, which would slow down --help
    from colorgan.evaluation.evaluation import Evaluation

MIN_SIZE = 32  # px, about the smallest input of LPIPS' AlexNet


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0 done, 2 bad usage, 130 interrupted."""
    return cli.run(lambda: _run(_parse(argv)), "nothing is written")


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog=program("evaluate"), description="Evaluate colorizers on a folder of photographs.")
    parser.add_argument("--data", type=existing_path, metavar="DIR", help="folder of color photographs")
    clip = "in place of --data: a color video; measures the flicker of color, alone and carried along, with one --ckpt"
    parser.add_argument("--video", type=existing_path, metavar="FILE", help=clip)
    parser.add_argument(
        "--ckpt", type=checkpoint_path, nargs="+", action="extend", default=[], help="checkpoints to evaluate"
    )
    folders = "folders of results of other programs, with the file names of the photographs"
    parser.add_argument(
        "--pred", type=existing_path, nargs="+", action="extend", default=[], metavar="DIR", help=folders
    )
    parser.add_argument(
        "--size", type=positive_int, help=f"side of the evaluated squares in px ({OWN.size}, or the protocol's)"
    )
    protocol = "prepare and measure as a paper does; without --ckpt and --pred only the truth and two baselines"
    parser.add_argument("--protocol", choices=PROTOCOLS, help=protocol)
    curve = "in place of the metrics: PSNR against the number of hints of the true color, at random or suggested places"
    parser.add_argument("--hints", choices=["random", "suggested"], help=curve)
    for kind in ("json", "csv", "html"):
        parser.add_argument(f"--{kind}", type=new_file, metavar="FILE", help="write the results to a new file")
    parser.add_argument("--wandb", metavar="PROJECT", help="log the table and the gallery as a run of this project")
    add_network_options(parser)
    add_device_option(parser)
    args = parser.parse_args(argv)
    if args.video:
        _check_video(parser, args)
        return args
    if not args.data:
        parser.error("the following arguments are required: --data")
    protocol = PROTOCOLS.get(args.protocol, OWN)
    if protocol is OWN and not args.ckpt and not args.pred:
        parser.error("nothing to evaluate: give --ckpt CKPT or --pred DIR")
    if args.hints and (args.pred or args.csv or args.html or args.wandb or not args.ckpt):
        parser.error("--hints: colors with --ckpt and writes --json; leave out --pred, --csv, --html and --wandb")
    if protocol is not OWN and args.size not in (None, protocol.size):
        parser.error(f"--size {args.size}: protocol {args.protocol} is of {protocol.size} px; leave --size out")
    if protocol is not OWN and args.classifier:
        parser.error(f"--classifier: no metric of protocol {args.protocol} needs one; leave one of the two out")
    args.size = args.size or protocol.size
    if args.size < MIN_SIZE:
        parser.error(f"--size {args.size}: must be at least {MIN_SIZE}, for the network of LPIPS")
    files = [str(path) for path in (args.json, args.csv, args.html) if path]
    if len(files) > len(set(files)):
        parser.error(f"{files[-1]}: --json, --csv and --html need different files")
    return args


def _check_video(parser: Parser, args: argparse.Namespace) -> None:
    """Refuse what a video is not measured by."""
    options = ("data", "pred", "protocol", "hints", "csv", "html", "wandb", "classifier", "skip")
    if given := [f"--{name}" for name in options if getattr(args, name)]:
        parser.error(f"--video: measured with --ckpt, --size and --json alone; leave out {', '.join(given)}")
    if len(args.ckpt) != 1:
        parser.error("--video: needs one --ckpt CKPT")
    require_video_extra()


def _run_video(args: argparse.Namespace) -> int:
    from rich.progress import Progress

    from colorgan.colorizer.checkpoint import load
    from colorgan.evaluation.results import write_json
    from colorgan.frames.measuring import as_text, measure

    model = load(args.ckpt[0], device=pick_device(args.device))
    console = cli.make_console()
    with Progress(console=console, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("evaluating", total=None)
        results = measure(
            model, args.video, args.size, lambda done, total: bar.update(task, completed=done, total=total)
        )
    print(f"{results['frames']} frames of {args.video} at {results['width']}x{results['height']} px, in Lab units")
    print(as_text(results))
    if args.json:
        with _writing():
            write_json(results, args.json)
        print(f"written: {args.json}")
    return 0


def _run_hints(args: argparse.Namespace) -> int:
    from rich.progress import Progress

    from colorgan.evaluation import hinting
    from colorgan.evaluation.dataset import EvaluationDataset, validation_folder
    from colorgan.evaluation.predictors import make_predictors, training_overlap
    from colorgan.evaluation.results import write_json

    protocol = PROTOCOLS.get(args.protocol, OWN)
    dataset = EvaluationDataset(validation_folder(args.data), protocol)
    predictors = make_predictors(args.ckpt, [], dataset, pick_device(args.device))
    models = {predictor.name: predictor.colorizer for predictor in predictors}
    console = cli.make_console()
    with Progress(console=console, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("evaluating", total=len(dataset))
        results = hinting.measure_hints(
            models, dataset, args.size, args.hints, lambda done: bar.update(task, completed=done)
        )
    results["notes"] += training_overlap(predictors, dataset)
    for note in results["notes"]:
        console.print(note)
    print(f"PSNR in dB of {results['pictures']} pictures of {dataset.root} at {args.size} px, by the number of hints")
    print(hinting.as_text(results))
    if args.json:
        with _writing():
            write_json(results, args.json)
        print(f"written: {args.json}")
    return 0


def _run(args: argparse.Namespace) -> int:
    from rich.progress import Progress

    from colorgan.evaluation.dataset import EvaluationDataset, validation_folder
    from colorgan.evaluation.evaluation import evaluate
    from colorgan.evaluation.predictors import make_predictors, training_overlap
    from colorgan.evaluation.results import as_text
    from colorgan.metrics.networks import FeatureNetworks
    from colorgan.metrics.variants import select
    from colorgan.systems.building import load_classifier

    if args.video:
        return _run_video(args)
    if args.hints:
        return _run_hints(args)
    protocol = PROTOCOLS.get(args.protocol, OWN)
    device = pick_device(args.device)
    dataset = EvaluationDataset(validation_folder(args.data), protocol)
    predictors = make_predictors(args.ckpt, args.pred, dataset, device)
    classifier = load_classifier(args.classifier, device) if args.classifier else None
    needs = [metric.needs for metric in select(protocol.metrics).values()]
    networks = FeatureNetworks(classifier, dataset.classes, args.skip, device, needs)
    console = cli.make_console()
    with Progress(console=console, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("evaluating", total=len(dataset))
        evaluation = evaluate(
            dataset,
            str(dataset.root),
            predictors,
            networks,
            args.size,
            lambda done: bar.update(task, completed=done),
            protocol,
        )
    evaluation.results["notes"] += training_overlap(predictors, dataset)
    if protocol.first and len(dataset) < protocol.first:
        note = f"{len(dataset)} pictures, where protocol {args.protocol} has {protocol.first}: not comparable"
        evaluation.results["notes"].append(note)
    for note in evaluation.results["notes"]:
        console.print(note)
    count, total = len(evaluation.names), len(dataset)
    left_out = f" ({total - count} of {total} left out: see above)" if count < total else ""
    print(f"{count} pictures of {dataset.root} at {args.size} px{left_out}; 95% bootstrap intervals over pictures")
    print(as_text(evaluation.results))
    if protocol is not OWN:
        print(f"protocol {args.protocol}, {protocol.title}; its figures are of {protocol.pictures}")
    if protocol.truth:
        print(calibration(protocol, evaluation.results["truth"]["colorfulness_ddcolor"]["mean"]))
    _write(evaluation, args)
    return 0


def _write(evaluation: Evaluation, args: argparse.Namespace) -> None:
    from colorgan.evaluation.evaluation import log_to_wandb
    from colorgan.evaluation.results import write_csv, write_json

    results = evaluation.results
    with _writing():
        if args.json:
            write_json(results, args.json)
        if args.csv:
            write_csv(results, args.csv)
        if args.html:
            from colorgan.evaluation.page import write_page

            write_page(args.html, results, evaluation.names, evaluation.scores.per_picture(), evaluation.gallery)
    for path in filter(None, (args.json, args.csv, args.html)):
        print(f"written: {path}")
    if args.wandb:
        log_to_wandb(evaluation, args.wandb)


@contextmanager
def _writing() -> Iterator[None]:
    """Turn a failure to write a file into one line."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be written ({error.strerror})") from None


if __name__ == "__main__":
    sys.exit(main())
