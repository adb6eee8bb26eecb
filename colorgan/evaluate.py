"""Judges colorizers: `python -m colorgan.evaluate --ckpt CKPT --pred DIR --data DIR [--json F] [--html F] ...`."""

import argparse
import os
import sys

import wandb
from rich.console import Console
from rich.progress import Progress

from colorgan import cli
from colorgan.cli import Parser, add_device, add_judges, existing, new_file, pick_device, positive
from colorgan.errors import UserError
from colorgan.evaluation.dashboard import log_evaluation
from colorgan.evaluation.evaluation import Evaluation, evaluate
from colorgan.evaluation.judges import Judges
from colorgan.evaluation.page import write_page
from colorgan.evaluation.painters import make_painters, seen_in_training
from colorgan.evaluation.pictures import Album, judged_folder
from colorgan.evaluation.results import as_text, write_csv, write_json
from colorgan.systems import load_judge


def main(argv: list[str] | None = None) -> int:
    """Judges, and returns the exit code."""
    return cli.run(lambda: _evaluate(_parse(argv)), "nothing is written")


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m colorgan.evaluate", description="Judges colorizers on a folder of photographs.")
    parser.add_argument("--data", type=existing, required=True, metavar="DIR", help="the true, colored photographs")
    parser.add_argument("--ckpt", type=existing, nargs="+", action="extend", default=[], help="trained models")
    several = "pictures that another program colored, under the truth's names, each folder a system"
    parser.add_argument("--pred", type=existing, nargs="+", action="extend", default=[], metavar="DIR", help=several)
    parser.add_argument("--size", type=positive, default=256, help="px of the squares that are judged (%(default)s)")
    for kind in ("json", "csv", "html"):
        parser.add_argument(f"--{kind}", type=new_file, metavar="FILE", help="write the results; never over a file")
    parser.add_argument("--wandb", metavar="PROJECT", help="log the table and the gallery as a run of this project")
    add_judges(parser)
    add_device(parser)
    args = parser.parse_args(argv)
    if not args.ckpt and not args.pred:
        parser.error("nothing to judge: name --ckpt CKPT or --pred DIR")
    if args.size < 32:
        parser.error(f"--size {args.size}: at least 32, of which LPIPS can tell something")
    files = [str(path) for path in (args.json, args.csv, args.html) if path]
    if len(files) > len(set(files)):
        parser.error(f"{files[-1]}: two of --json, --csv and --html name one file")
    return args


def _evaluate(args: argparse.Namespace) -> int:
    device = pick_device(args.device)
    album = Album(judged_folder(args.data))
    painters = make_painters(args.ckpt, args.pred, album, device)
    classifier = load_judge(args.classifier, device) if args.classifier else None
    judges = Judges(classifier, album.classes, frozenset(args.skip), device)
    console = Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)
    with Progress(console=console, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("judging", total=len(album))
        evaluation = evaluate(
            album, str(album.root), painters, judges, args.size, lambda done: bar.update(task, completed=done)
        )
    evaluation.results["notes"] += seen_in_training(painters, album)
    for note in evaluation.results["notes"]:
        console.print(note)
    count, all_of_them = len(evaluation.names), len(album)
    left_out = f" ({all_of_them - count} of {all_of_them} left out: see above)" if count < all_of_them else ""
    print(f"{count} pictures of {album.root} at {args.size} px{left_out}; 95% bootstrap intervals over pictures")
    print(as_text(evaluation.results))
    _write(evaluation, args)
    return 0


def _write(evaluation: Evaluation, args: argparse.Namespace) -> None:
    results = evaluation.results
    try:
        if args.json:
            write_json(results, args.json)
        if args.csv:
            write_csv(results, args.csv)
        if args.html:
            write_page(args.html, results, evaluation.names, evaluation.judged.scores, evaluation.shown)
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be written ({error.strerror})") from None
    for path in filter(None, (args.json, args.csv, args.html)):
        print(f"written: {path}")
    if args.wandb:
        # Online where an API key is known, as in training: without one, wandb.init itself asks or fails.
        mode = os.environ.get("WANDB_MODE") or ("online" if wandb.login(prompt=False, verify=False) else "offline")
        with wandb.init(project=args.wandb, job_type="evaluate", config=results["data"], mode=mode):
            log_evaluation(evaluation)


if __name__ == "__main__":
    sys.exit(main())
