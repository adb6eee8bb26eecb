"""Let GANs collapse, with the guard and without it, and see what is left; see how often it fires on healthy runs.

    python benchmarks/collapsing.py --out OUT --scenes PHOTOGRAPHS [--only rates --only healthy ...]

Each run trains healthily for some epochs, and is then resumed with what makes it collapse. OUT/collapsing.csv holds how
it ended, OUT/collapsing.png the validation errors, those that a rollback moved aside among them. A run that is there
already is not repeated.
"""

import argparse
import csv
import itertools
import multiprocessing
import os
import shutil
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from colorgan import train
from colorgan.data.module import PhotographDataModule

SEEDS = (0, 1, 2)
BEFORE, EPOCHS = 8, 20  # healthy epochs before the provocation; epochs in all
EPOCHS_OF_EIGHT = 40
SMALL = (
    *("data.size=32", "net.width=8", "discriminator.width=8", "data.workers=0", "wandb.mode=disabled"),
    *("trainer.accelerator=cpu", "trainer.precision=32-true", "checkpoint.keep=2"),
)
PHOTOS = ["experiments/gan.yaml", *SMALL, "data.crops=240"]
SCENES = [*SMALL, "trainer.limit_train_batches=30", "trainer.limit_val_batches=4"]
EIGHT = ["experiments/gan-folder.yaml", *SMALL, "system.real_label=1", "checkpoint.keep_every=0"]
WEAK = "system.color_weight=1"  # in place of 100, which keeps most generators from collapsing
PROVOCATIONS = {  # what a healthy run is resumed with
    "rates x100": ["optim.lr=0.02", WEAK],
    "rates x1000": ["optim.lr=0.2"],
    "rates x1000 weak": ["optim.lr=0.2", WEAK],
    "discriminator x20": ["system.discriminator_lr=20", "system.color_weight=0"],
    "eight pictures": [],  # another run, from its beginning
    "poison": [],
}
FAST = ["discriminator.size=32", "data.batch_size=8", "trainer.max_time=null", "trainer.limit_train_batches=15"]
HEALTHY = {
    "gan": PHOTOS,
    "gan-folder": ["experiments/gan-folder.yaml", *SCENES],
    "gan-fast": ["experiments/gan-fast.yaml", *(s for s in SCENES if "width" not in s), *FAST],
}
POISONED = (BEFORE + 1, 5)  # epoch and batch with an infinite pixel


def poison() -> None:
    """Let one pixel of one batch be infinite."""
    augment, calls = PhotographDataModule.augment, itertools.count()

    def augment_badly(self, batch, generator):
        batch = augment(self, batch, generator)
        if self.trainer.current_epoch == POISONED[0] and next(calls) == POISONED[1]:
            batch["rgb"][0, 0, 0, 0] = float("inf")
        return batch

    PhotographDataModule.augment = augment_badly


def run(arguments: list[str], log: Path, poisoned: bool) -> None:
    """Train in this process, which writes to a file."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    if poisoned:
        poison()
    sys.exit(train.main(arguments))


def start(arguments: list[str], log: Path, poisoned: bool = False) -> int:
    """Train in a process of its own; return its exit code."""
    process = multiprocessing.get_context("fork").Process(target=run, args=(arguments, log, poisoned))
    process.start()
    process.join()
    return process.exitcode


def provoke(out: Path, name: str, seed: int, guarded: bool, pictures: Path) -> Path:
    """Train a run that collapses; return its directory."""
    run_dir = out / f"{name}-{seed}-{'on' if guarded else 'off'}".replace(" ", "-")
    log, beginning = out / f"{run_dir.name}.log", out / f"beginning-{seed}"
    guard = f"guard.enabled={guarded}".lower()
    if run_dir.exists():
        return run_dir
    if name == "eight pictures":
        more = [f"data.root={pictures}", f"trainer.max_epochs={EPOCHS_OF_EIGHT}"]
        start([*EIGHT, f"seed={seed}", f"run_dir={run_dir}", guard, *more], log)
        return run_dir
    if not beginning.exists():
        more = [f"seed={seed}", f"run_dir={beginning}", f"trainer.max_epochs={BEFORE}"]
        start([*PHOTOS, *more], out / f"{beginning.name}.log")
    shutil.copytree(beginning, run_dir, symlinks=True)
    more = [f"run_dir={run_dir}", guard, f"trainer.max_epochs={EPOCHS}", *PROVOCATIONS[name]]
    start([PHOTOS[0], "--resume", *more], log, poisoned=name == "poison")
    return run_dir


def make_eight(folder: Path, scenes: Path) -> Path:
    """Make a folder of eight pictures to train on, each of which is there 15 times, and others to validate on."""
    if not folder.exists():
        files = {part: sorted((scenes / part).glob("*/*")) for part in ("train", "val")}
        chosen = {"train": files["train"][:: len(files["train"]) // 8][:8] * 15, "val": files["val"][::8]}
        for part, paths in chosen.items():
            (folder / part / "all").mkdir(parents=True)
            for i, path in enumerate(paths):
                (folder / part / "all" / f"{i:03}{path.suffix}").symlink_to(path.resolve())
    return folder


def history(run_dir: Path) -> list[list[tuple[int, float]]]:
    """Return epochs and validation errors: those of each collapse that was moved aside, and those that are left."""
    files = [*sorted(run_dir.glob("aside-*/metrics.csv")), run_dir / "metrics.csv"]
    rows = [list(csv.DictReader(file.open())) for file in files if file.exists()]
    return [
        [(int(row["epoch"]), float(row["val/ab_error"])) for row in part if row.get("val/ab_error")] for part in rows
    ]


def result(run_dir: Path, name: str) -> dict[str, str | int | float]:
    """Return how a run ended: its error in comparison with the best one before the collapse."""
    attempts = history(run_dir)
    best = min(
        error for epoch, error in attempts[0] if epoch < BEFORE or name not in PROVOCATIONS or name == "eight pictures"
    )
    epoch, last = attempts[-1][-1]
    lines = (run_dir.parent / f"{run_dir.name}.log").read_text(errors="replace").splitlines()
    reasons = [line.partition("collapsed")[2].partition(": ")[2] for line in lines if " collapsed" in line]
    return {
        "run": run_dir.name,
        "best before": round(best, 2),
        "last": round(last, 2),
        "ratio": round(last / best, 2),
        "last epoch": epoch,
        "rollbacks": len(list(run_dir.glob("aside-*"))),
        "reason": reasons[0].split(". Rollback")[0] if reasons else next((x for x in lines if "diverged" in x), ""),
    }


def draw(out: Path, names: list[str]) -> None:
    """Plot the validation errors of all runs, one panel for each provocation with and without the guard."""
    figure, axes = plt.subplots(
        2, len(names), figsize=(4 * len(names), 6), sharey="col", squeeze=False, layout="constrained"
    )
    for column, name in enumerate(names):
        for row, guard in enumerate(("off", "on")):
            axis = axes[row, column]
            for seed in SEEDS:
                attempts = list(filter(None, history(out / f"{name}-{seed}-{guard}".replace(" ", "-"))))
                for i, attempt in enumerate(attempts):
                    left = i == len(attempts) - 1
                    style = {"color": f"C{seed}", "alpha": 1 if left else 0.4, "linestyle": "-" if left else ":"}
                    axis.plot(*zip(*attempt, strict=True), **style, label=f"seed {seed}" if left else None)
            axis.set(title=f"{name}, guard {guard}", xlabel="epoch", ylabel="ab error", yscale="log")
            axis.legend(fontsize="small")
    figure.savefig(out / "collapsing.png", dpi=90)


def main() -> None:
    """Train all runs, and write the table and the plot after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenes", type=Path, required=True, help="folder of photographs with train/ and val/")
    parser.add_argument("--only", action="append", choices=[*PROVOCATIONS, *HEALTHY])
    parser.add_argument("--seed", type=int, action="append", help="of those in SEEDS")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    pictures = make_eight(args.out / "eight", args.scenes)
    results = []
    for seed in args.seed or SEEDS:
        for name in args.only or [*PROVOCATIONS, *HEALTHY]:
            if name in PROVOCATIONS:
                runs = [provoke(args.out, name, seed, guarded, pictures) for guarded in (False, True)]
            else:
                run_dir = args.out / f"{name}-{seed}"
                root = [] if name == "gan" else [f"data.root={args.scenes}"]
                more = [*root, f"seed={seed}", f"run_dir={run_dir}", f"trainer.max_epochs={EPOCHS}"]
                if not run_dir.exists():
                    start([*HEALTHY[name], *more], args.out / f"{run_dir.name}.log")
                runs = [run_dir]
            results += [result(run_dir, name) for run_dir in runs]
            with (args.out / "collapsing.csv").open("w") as file:
                writer = csv.DictWriter(file, results[0])
                writer.writeheader()
                writer.writerows(results)
            print(*(list(r.values()) for r in results[-len(runs) :]), sep="\n", flush=True)
    provoked = [name for name in args.only or PROVOCATIONS if name in PROVOCATIONS]
    if provoked:
        draw(args.out, provoked)


if __name__ == "__main__":
    main()
