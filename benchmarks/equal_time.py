"""Compare experiments/gan-fast.yaml with the GAN of the tutorials: ten minutes each, the same pictures, three seeds.

    python benchmarks/holdout.py SCENES HELD
    python benchmarks/equal_time.py HELD --classifier checkpoints/judge/best.ckpt --out OUT

Both train on HELD/train at the same time, each on half of the cores of an otherwise idle machine, and are evaluated on
HELD/val at 64 px. Then gan-fast trains once more, on the same half, for 90 seconds. Results of completed seeds are
reused. gan-fast is released with more chroma, because its pictures are less colorful than the true ones.

The result of the baseline depends on how many pictures the machine trains it on in ten minutes (docs/recipe.md). With
--pictures it is trained on that number, as a faster machine would do, no matter how long that takes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

METRICS = ("psnr", "ab_error", "colorfulness", "fid_classifier", "kid_classifier")
SEEDS = (0, 1, 2)
BASELINE = "tutorial"
TIMES = {"gan-fast": "00:00:10:00", "gan-fast-90s": "00:00:01:30"}  # name of the run: how long it trains
SATURATION = 1.1  # of gan-fast


def start(*command: object, cores: Collection[int] = ()) -> subprocess.Popen:
    """Start a Python program on the given cores; default: on all."""
    bind = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    return subprocess.Popen([sys.executable, *map(str, command)], preexec_fn=bind)


def finish(process: subprocess.Popen) -> None:
    """Wait for a program.

    Raises:
        SystemExit: it failed.
    """
    if process.wait():
        raise SystemExit(f"failed: {' '.join(process.args)}")


def train_and_evaluate(root: Path, classifier: Path, out: Path, seed: int, pictures: int | None) -> Path:
    """Train and evaluate both systems with one seed.

    Args:
        root: folder with train/ and val/.
        classifier: a checkpoint of experiments/judge.yaml.
        out: folder for the runs.
        seed: seed of both.
        pictures: number of pictures that the baseline is trained on; None for ten minutes.

    Returns:
        the JSON file that `colorgan.evaluate` wrote.
    """
    folder = out / f"seed-{seed}"
    results = folder / "results.json"
    if results.exists():
        return results
    if folder.exists():
        raise SystemExit(f"{folder}: contains an unfinished comparison; remove it")
    # The baseline is not validated during its training, so gan-fast is validated on a few pictures only.
    overrides = [f"seed={seed}", f"data.root={root}", "wandb.mode=disabled", "trainer.limit_val_batches=8"]
    cores = sorted(os.sched_getaffinity(0))
    halves = cores[: len(cores) // 2], cores[len(cores) // 2 :]
    budget = ["--pictures", pictures] if pictures else ["--minutes", 10]
    common = ["--root", root, "--seed", seed, *budget, "--out", folder / BASELINE]
    baseline = start("benchmarks/tutorial_baseline.py", *common, cores=halves[1])
    released = [folder / f"{name}.ckpt" for name in TIMES]
    for file, time in zip(released, TIMES.values(), strict=True):
        run = file.with_suffix("")
        settings = [*overrides, f"trainer.max_time={time}", f"run_dir={run}"]
        finish(start("-m", "colorgan.train", "experiments/gan-fast.yaml", *settings, cores=halves[0]))
        finish(start("-m", "colorgan.release", run / "last.ckpt", file, "--saturation", SATURATION))
        finish(baseline)
    systems = ["--ckpt", *released, "--pred", folder / BASELINE]
    judges = ["--classifier", classifier, "--skip", "lpips", "--skip", "fid", "--size", 64, "--json", results]
    finish(start("-m", "colorgan.evaluate", "--data", root / "val", *systems, *judges))
    return results


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="photographs: train/ and val/, as holdout.py makes them")
    parser.add_argument("--classifier", type=Path, required=True, help="a checkpoint of experiments/judge.yaml")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--pictures", type=int, help="train the baseline on this number, not for ten minutes")
    args = parser.parse_args()
    files = [train_and_evaluate(args.root, args.classifier, args.out, seed, args.pictures) for seed in SEEDS]
    results = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    print(f"nproc {os.cpu_count()}; seeds {', '.join(map(str, SEEDS))} and their mean\n")
    print("| | " + " | ".join(METRICS) + " |\n|" + "---|" * (1 + len(METRICS)))
    for name in ("gray", BASELINE, *TIMES):
        systems = [  # checkpoints of one experiment are named after their folders, too
            next(values for key, values in result["systems"].items() if key.split("/")[-1] == name)
            for result in results
        ]
        columns = [[system[metric]["mean"] for system in systems] for metric in METRICS]
        cells = [f"{', '.join(f'{v:.2f}' for v in values)}: {statistics.mean(values):.2f}" for values in columns]
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(f"\ncolorfulness of the truth: {results[0]['truth']['colorfulness']['mean']:.2f}")


if __name__ == "__main__":
    main()
