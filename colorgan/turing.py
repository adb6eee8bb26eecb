"""Ask people which of two pictures is recolored: `python -m colorgan.turing make|serve|report STUDY`."""

import argparse
import json
import sys
from contextlib import closing, suppress
from pathlib import Path

from colorgan import cli
from colorgan.cli import (
    Parser,
    add_device_option,
    checkpoint_path,
    existing_path,
    new_file,
    pick_device,
    port,
    positive_int,
    program,
)
from colorgan.errors import UserError


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0 done, 2 bad usage, 130 interrupted."""
    return cli.run(lambda: _run(parse(argv)), "no files are left behind")


def _run(args: argparse.Namespace) -> int:
    args.run(args)
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Parse the command line; raise UserError if it is wrong."""
    parser = Parser(prog=program("turing"), description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    make = commands.add_parser("make", help="color the pictures of a new study")
    make.add_argument("study", type=Path, metavar="STUDY", help="new folder for the study")
    make.add_argument(
        "--data", type=existing_path, required=True, metavar="DIR", help="folder of 54 or more color photographs"
    )
    make.add_argument(
        "--ckpt", type=checkpoint_path, nargs="+", action="extend", default=[], help="checkpoints to evaluate"
    )
    folders = "folders of results of other programs, with the file names of the photographs"
    make.add_argument("--pred", type=existing_path, nargs="+", action="extend", default=[], metavar="DIR", help=folders)
    make.add_argument("--size", type=positive_int, default=256, help="side of the pictures in px (%(default)s)")
    make.add_argument("--seed", type=_seed, default=0, help="seed of all random choices (%(default)s)")
    make.add_argument("--pictures", type=positive_int, metavar="N", help="number of photographs to use (all)")
    add_device_option(make)
    make.set_defaults(run=_make)
    serve = commands.add_parser("serve", help="show the pictures to people and collect their answers")
    serve.add_argument("study", type=Path, metavar="STUDY", help="a folder that `make` wrote")
    serve.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 allows other machines (%(default)s)"
    )
    serve.add_argument("--port", type=port, default=8000, help="port to listen on; 0 for any free one (%(default)s)")
    serve.set_defaults(run=_serve)
    report = commands.add_parser("report", help="show how often each system fooled people")
    report.add_argument("study", type=Path, metavar="STUDY", help="a folder that `make` wrote")
    report.add_argument(
        "--json", type=new_file, metavar="FILE", help="write the results, with the rate of each picture, to a new file"
    )
    report.set_defaults(run=_report)
    args = parser.parse_args(argv)
    if args.run is _make and not args.ckpt + args.pred:
        parser.error("nothing to evaluate: give --ckpt CKPT or --pred DIR")
    return args


def _make(args: argparse.Namespace) -> None:
    from colorgan.evaluation.dataset import EvaluationDataset, validation_folder
    from colorgan.evaluation.predictors import make_predictors, training_overlap
    from colorgan.study import making

    dataset = EvaluationDataset(validation_folder(args.data))
    predictors = make_predictors(args.ckpt, args.pred, dataset, pick_device(args.device))
    study, notes = making.make(args.study, dataset, predictors, args.size, args.seed, args.pictures)
    notes += training_overlap(predictors, dataset)
    print(*notes, sep="\n", end="\n" if notes else "", file=sys.stderr)
    print(f"{len(study.pictures)} pictures by {', '.join(study.systems)}: python -m colorgan.turing serve {args.study}")


def _serve(args: argparse.Namespace) -> None:
    from colorgan import serving
    from colorgan.study import folder, server
    from colorgan.study.store import Store

    study = folder.load(args.study)
    study.check_pictures()
    with closing(Store(study)) as store, serving.bind_socket(args.host, args.port) as listener:
        address = serving.address(args.host, listener)
        print(f"the test is at {address} - Ctrl-C ends it, and serving it again continues it", flush=True)
        with suppress(KeyboardInterrupt):
            server.make_server(store, listener).run(sockets=[listener])
        print(f"\nended; sessions so far: {len(store.sessions())}, in {study.answers_path}")


def _report(args: argparse.Namespace) -> None:
    from colorgan.study import folder, report
    from colorgan.study.store import Store

    study = folder.load(args.study)
    if not study.answers_path.exists():
        raise UserError(f"{study.answers_path}: no such file; `python -m colorgan.turing serve {args.study}` makes it")
    with closing(Store(study)) as store:
        results = report.summarize(store)
    print(*report.format_table(results), sep="\n")
    if args.json:
        try:
            args.json.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"--json {args.json}: cannot be written ({error.strerror})") from None


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not a whole number, 0 or above")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
