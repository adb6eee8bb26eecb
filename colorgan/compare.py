"""Train experiments under one budget and evaluate them: `python -m colorgan.compare A.yaml ... --budget 10m ...`."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from colorgan import cli
from colorgan.cli import Parser, add_device_option, add_network_options, pick_device, positive_int, program
from colorgan.errors import UserError

if TYPE_CHECKING:  # heavy modules, which would slow down --help
    from colorgan.comparison.budgets import Plan
    from colorgan.comparison.runs import Run
    from colorgan.evaluation.evaluation import Evaluation
    from colorgan.systems.classifier import Classifier

MIN_SIZE = 16  # px of the evaluated squares


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0 done, 1 a run failed, 2 bad usage, 130 interrupted."""
    return cli.run(lambda: _run(_parse(argv)), "the same command continues from there")


def _parse(argv: list[str] | None) -> argparse.Namespace:
    description = "Train experiments on the same pictures under one budget, and evaluate them."
    parser = Parser(prog=program("compare"), description=description)
    parser.add_argument(
        "items",
        nargs="+",
        metavar="[NAME:]EXPERIMENT.yaml | [NAME:]key=value",
        help="experiments, and settings of all or of one of them",
    )
    parser.add_argument(
        "--budget", required=True, help="training of each run: 90s, 10m, 1.5h, or a number of pictures, as in 20k"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("checkpoints/compare"), help="folder for runs, table and page (%(default)s)"
    )
    parser.add_argument("--seeds", type=positive_int, default=1, help="number of runs of each experiment (%(default)s)")
    parser.add_argument("--size", type=positive_int, help="side of the evaluated squares in px (the largest data.size)")
    wandb = "log the runs to this project of W&B, grouped by experiment, and the table and the gallery, too"
    parser.add_argument("--wandb", metavar="PROJECT", help=wandb)
    add_network_options(parser)
    add_device_option(parser)
    args = parser.parse_intermixed_args(argv)
    if args.size and args.size < MIN_SIZE:
        parser.error(f"--size {args.size}: must be at least {MIN_SIZE}")
    args.command = shlex.join(["python", "-m", "colorgan.compare", *(sys.argv[1:] if argv is None else argv)])
    return args


def _run(args: argparse.Namespace) -> int:
    from colorgan.comparison.budgets import parse_budget
    from colorgan.comparison.runs import make_runs, plan_all, speed_warning, train
    from colorgan.systems.building import load_classifier

    budget = parse_budget(args.budget)
    runs = make_runs(args.items, args.seeds, args.out, args.wandb)
    # Check the options of the evaluation before training, which may take hours.
    device = pick_device(args.device)
    classifier = load_classifier(args.classifier, device) if args.classifier else None
    _make_folder(args.out)
    plans = plan_all(runs, budget)
    trained = []
    for run in runs:
        plan = plans[run.name]
        speed = f" at {plan.pictures_per_second:.1f} pictures/s" if plan.pictures_per_second else ""
        print(f"{run.name}: {plan.epochs} epochs of {plan.batches} batches{speed}", flush=True)
        if run.is_complete(plan) or train(run, plan):
            trained.append(run)
        else:
            print(f"{run.name}: training failed, see above; continuing with the others", file=sys.stderr)
    if not trained:
        raise UserError("no run was trained")
    evaluation = _evaluate(trained, args, classifier, device)
    evaluation.results["notes"] += [note for run in trained if (note := speed_warning(run, plans[run.name]))]
    evaluation.results["notes"] += [f"{run.name}: training failed: not evaluated" for run in runs if run not in trained]
    _write(evaluation, trained, plans, args)
    return 0 if len(trained) == len(runs) else 1


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {path}: {error.strerror}") from None


def _evaluate(trained: list[Run], args: argparse.Namespace, classifier: Classifier | None, device: str) -> Evaluation:
    """Evaluate the last epoch of each run on the validation pictures."""
    from colorgan.colorizer.checkpoint import load
    from colorgan.data.building import build_data
    from colorgan.evaluation.evaluation import evaluate
    from colorgan.evaluation.predictors import ModelPredictor
    from colorgan.metrics.networks import FeatureNetworks
    from colorgan.training import run_directory

    data = build_data(trained[0].experiment)
    predictors = [
        ModelPredictor(run.name, load(run_directory.latest_checkpoint(run.run_dir), device), run.experiment.data)
        for run in trained
    ]
    networks = FeatureNetworks(classifier, data.classes, args.skip, device)
    size = args.size or max(MIN_SIZE, *(run.experiment.data.size for run in trained))
    name = trained[0].experiment.data.root or trained[0].experiment.data.name
    return evaluate(data.source(train=False), f"{name}, validation", predictors, networks, size, lambda done: None)


def _write(evaluation: Evaluation, trained: list[Run], plans: dict[str, Plan], args: argparse.Namespace) -> None:
    """Write the results as JSON, CSV, Markdown and HTML, and plot the curves of all runs."""
    from colorgan.evaluation.evaluation import log_to_wandb
    from colorgan.evaluation.page import write_page
    from colorgan.evaluation.results import as_markdown, as_text, write_csv, write_json
    from colorgan.training.curves import draw_comparison
    from colorgan.training.history import read_rows

    out, results = args.out, evaluation.results
    per_epoch = {run.name: plans[run.name].batches * run.batch for run in trained}  # pictures
    trained_on = {run.name: per_epoch[run.name] * plans[run.name].epochs for run in trained}
    write_json(results, out / "results.json")
    write_csv(results, out / "results.csv")
    (out / "table.md").write_text(as_markdown(results, trained_on, args.command), encoding="utf-8")
    write_page(out / "index.html", results, evaluation.names, evaluation.scores.per_picture(), evaluation.gallery)
    rows = {run.name: read_rows(run.run_dir / "metrics.csv") for run in trained}
    draw_comparison(rows, per_epoch, out / "curves.png")
    if args.wandb:
        log_to_wandb(evaluation, args.wandb)
    for note in results["notes"]:
        print(note, file=sys.stderr)
    print(as_text(results))
    print(f"{out}: index.html, table.md, results.json, results.csv, curves.png")


if __name__ == "__main__":
    sys.exit(main())
