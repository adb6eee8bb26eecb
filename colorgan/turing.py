"""Asks people which of two pictures is recolored: `python -m colorgan.turing make|serve|report STUDY`."""

import argparse
import json
import sys
from contextlib import closing, suppress
from pathlib import Path

from colorgan import cli
from colorgan.cli import Parser, add_device, existing, new_file, pick_device, positive
from colorgan.errors import UserError
from colorgan.evaluation.painters import make_painters, seen_in_training
from colorgan.evaluation.pictures import Album, judged_folder
from colorgan.study import folder, making, report, server
from colorgan.study.store import Store


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code: 0 all good, 2 bad usage, 130 interrupted."""
    return cli.run(lambda: _run(parse(argv)), "nothing is left behind")


def _run(args: argparse.Namespace) -> int:
    args.run(args)
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The options; raises UserError for wrong ones."""
    parser = Parser(prog="python -m colorgan.turing", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    make = commands.add_parser("make", help="paint the pictures of a new study")
    make.add_argument("study", type=Path, metavar="STUDY", help="the folder to make")
    make.add_argument("--data", type=existing, required=True, metavar="DIR", help="true photographs, 54 or more")
    make.add_argument("--ckpt", type=existing, nargs="+", action="extend", default=[], help="trained models")
    several = "pictures that another program colored, under the truth's names, each folder a system"
    make.add_argument("--pred", type=existing, nargs="+", action="extend", default=[], metavar="DIR", help=several)
    make.add_argument("--size", type=positive, default=256, help="of the pictures, in px (%(default)s)")
    make.add_argument("--seed", type=_seed, default=0, help="of all that is drawn (%(default)s)")
    make.add_argument("--pictures", type=positive, metavar="N", help="take so many of the photographs (all)")
    add_device(make)
    make.set_defaults(run=_make)
    serve = commands.add_parser("serve", help="show the pictures to people and collect their answers")
    serve.add_argument("study", type=Path, metavar="STUDY", help="a folder that `make` wrote")
    serve.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other machines in (%(default)s)")
    serve.add_argument("--port", type=_port, default=8000, help="0 takes a free one (%(default)s)")
    serve.set_defaults(run=_serve)
    tell = commands.add_parser("report", help="tell how often each system fooled people")
    tell.add_argument("study", type=Path, metavar="STUDY", help="a folder that `make` wrote")
    tell.add_argument("--json", type=new_file, metavar="FILE", help="write each picture's rate, too; never over a file")
    tell.set_defaults(run=_report)
    args = parser.parse_args(argv)
    if args.run is _make and not args.ckpt + args.pred:
        parser.error("nothing to judge: give --ckpt CKPT or --pred DIR")
    return args


def _make(args: argparse.Namespace) -> None:
    album = Album(judged_folder(args.data))
    painters = make_painters(args.ckpt, args.pred, album, pick_device(args.device))
    study, notes = making.make(args.study, album, painters, args.size, args.seed, args.pictures)
    notes += seen_in_training(painters, album)
    print(*notes, sep="\n", end="\n" if notes else "", file=sys.stderr)
    print(f"{len(study.pictures)} pictures by {', '.join(study.systems)}: python -m colorgan.turing serve {args.study}")


def _serve(args: argparse.Namespace) -> None:
    study = folder.load(args.study)
    study.check_pictures()
    with closing(Store(study)) as store, server.listen(args.host, args.port) as listener:
        port = listener.getsockname()[1]
        host = f"[{args.host}]" if ":" in args.host else args.host
        print(f"the test is at http://{host}:{port}/ - Ctrl-C ends it, and serving it again goes on", flush=True)
        with suppress(KeyboardInterrupt):
            server.prepare(store, listener).run(sockets=[listener])
        print(f"\nended; sessions so far: {len(store.sessions())}, in {study.answers}")


def _report(args: argparse.Namespace) -> None:
    study = folder.load(args.study)
    if not study.answers.exists():
        raise UserError(f"{study.answers}: no such file; `python -m colorgan.turing serve {args.study}` makes it")
    with closing(Store(study)) as store:
        results = report.report(store)
    print(*report.lines(results), sep="\n")
    if args.json:
        try:
            args.json.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"--json {args.json}: cannot be written ({error.strerror})") from None


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not a whole number, 0 or above")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port, 0 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
