"""Trains experiments under one budget and judges them: `python -m colorgan.compare A.yaml B.yaml --budget 10m ...`."""

import argparse
import shlex
import sys
from pathlib import Path

from colorgan import cli
from colorgan.cli import Parser, add_device, add_judges, pick_device, positive
from colorgan.comparison.budgets import Plan, parse_budget
from colorgan.comparison.runs import Run, disturbance, make_runs, plan_all, train
from colorgan.errors import UserError
from colorgan.evaluation.evaluation import Evaluation, evaluate
from colorgan.evaluation.judges import Judges
from colorgan.evaluation.leaderboard import as_markdown
from colorgan.evaluation.page import write_page
from colorgan.evaluation.painters import Model
from colorgan.evaluation.results import as_text, write_csv, write_json
from colorgan.systems import build_data, load, load_judge
from colorgan.systems.classifier import Classifier
from colorgan.training import run_directory
from colorgan.training.callbacks import read_rows
from colorgan.training.curves import draw_comparison

SMALLEST = 16  # px of the squares that are judged


def main(argv: list[str] | None = None) -> int:
    """Compares; returns the exit code: 0 all good, 1 some run failed, 2 bad usage."""
    return cli.run(lambda: _compare(_parse(argv)), "the same command goes on from there")


def _parse(argv: list[str] | None) -> argparse.Namespace:
    description = "Trains experiments on the same pictures under one budget, judges them, and writes table and page."
    parser = Parser(prog="python -m colorgan.compare", description=description)
    parser.add_argument("items", nargs="+", metavar="[NAME:]EXPERIMENT.yaml | [NAME:]key=value", help="what to run")
    parser.add_argument("--budget", required=True, help="training of each: 90s, 10m, 1.5h, or pictures as in 20k")
    parser.add_argument("--out", type=Path, default=Path("checkpoints/compare"), help="where all goes (%(default)s)")
    parser.add_argument("--seeds", type=positive, default=1, help="runs of each experiment (%(default)s)")
    parser.add_argument("--size", type=positive, help="px of the squares that are judged (the largest data.size)")
    add_judges(parser)
    add_device(parser)
    args = parser.parse_intermixed_args(argv)
    if args.size and args.size < SMALLEST:
        parser.error(f"--size {args.size}: at least {SMALLEST}")
    args.command = shlex.join(["python", "-m", "colorgan.compare", *(sys.argv[1:] if argv is None else argv)])
    return args


def _compare(args: argparse.Namespace) -> int:
    budget = parse_budget(args.budget)
    made = make_runs(args.items, args.seeds, args.out)
    # What cannot be used is said before the hours of training.
    device = pick_device(args.device)
    classifier = load_judge(args.classifier, device) if args.classifier else None
    _make_folder(args.out)
    plans = plan_all(made, budget)
    trained = []
    for run in made:
        plan = plans[run.name]
        speed = f" at {plan.pictures_per_second:.1f} pictures/s" if plan.pictures_per_second else ""
        print(f"{run.name}: {plan.epochs} epochs of {plan.batches} batches{speed}", flush=True)
        if run.is_complete(plan) or train(run, plan):
            trained.append(run)
        else:
            print(f"{run.name}: training failed, as said above; the others go on", file=sys.stderr)
    if not trained:
        raise UserError("no run was trained")
    evaluation = _judge(trained, args, classifier, device)
    evaluation.results["notes"] += [note for run in trained if (note := disturbance(run, plans[run.name]))]
    evaluation.results["notes"] += [f"{run.name}: training failed: not judged" for run in made if run not in trained]
    _write(evaluation, trained, plans, args)
    return 0 if len(trained) == len(made) else 1


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {path}: {error.strerror}") from None


def _judge(trained: list[Run], args: argparse.Namespace, classifier: Classifier | None, device: str) -> Evaluation:
    """The last epoch of each run, on the pictures that all were validated on."""
    data = build_data(trained[0].experiment)
    source = data.source(train=False)
    painters = [Model(run.name, load(run_directory.newest(run.run_dir), device)) for run in trained]
    judges = Judges(classifier, data.classes, frozenset(args.skip), device)
    size = args.size or max(SMALLEST, *(run.experiment.data.size for run in trained))
    name = trained[0].experiment.data.root or trained[0].experiment.data.name
    return evaluate(source, f"{name}, validation", painters, judges, size, lambda done: None)


def _write(evaluation: Evaluation, trained: list[Run], plans: dict[str, Plan], args: argparse.Namespace) -> None:
    """Results as JSON, CSV, Markdown and page, and the curves of all runs."""
    out, results = args.out, evaluation.results
    seen = {run.name: plans[run.name].batches * run.batch for run in trained}  # an epoch
    write_json(results, out / "results.json")
    write_csv(results, out / "results.csv")
    (out / "table.md").write_text(
        as_markdown(results, {run.name: seen[run.name] * plans[run.name].epochs for run in trained}, args.command),
        encoding="utf-8",
    )
    write_page(out / "index.html", results, evaluation.names, evaluation.judged.scores, evaluation.shown)
    rows = {run.name: read_rows(run.run_dir / "metrics.csv") for run in trained}
    draw_comparison(rows, seen, out / "curves.png")
    for note in results["notes"]:
        print(note, file=sys.stderr)
    print(as_text(results))
    print(f"{out}: index.html, table.md, results.json, results.csv, curves.png")


if __name__ == "__main__":
    sys.exit(main())
