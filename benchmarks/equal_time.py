"""Compare experiments/gan-fast.yaml with the GAN of the tutorials: ten minutes each, the same pictures, three seeds.

    python benchmarks/holdout.py SCENES HELD
    python benchmarks/equal_time.py HELD --classifier checkpoints/judge/best.ckpt --out OUT

Both train on HELD/train, one after the other, on an otherwise idle machine, and are evaluated on HELD/val at 64 px. The
ten minutes of gan-fast include the training of the classifier whose features its discriminator uses. Results of
completed seeds are reused. gan-fast is released with more chroma, because its pictures are less colorful than the true
ones.

The result of the baseline depends on how many pictures the machine trains it on in ten minutes (docs/recipe.md). With
--pictures it is trained on that number, as a faster machine would do, no matter how long that takes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

METRICS = ("psnr", "ab_error", "colorfulness", "fid_classifier", "kid_classifier")
SEEDS = (0, 1, 2)
BASELINE = "tutorial"
SATURATION = 1.05  # of gan-fast


def run(*command: object) -> None:
    """Run a Python program; raise CalledProcessError if it fails."""
    subprocess.run([sys.executable, *map(str, command)], check=True)


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
    features, fast, released = folder / "features", folder / "run", folder / "gan-fast.ckpt"
    run("-m", "colorgan.train", "experiments/features.yaml", *overrides, f"run_dir={features}")
    weights = f"discriminator.weights={features / 'last.ckpt'}"
    run("-m", "colorgan.train", "experiments/gan-fast.yaml", *overrides, f"run_dir={fast}", weights)
    run("-m", "colorgan.release", fast / "last.ckpt", released, "--saturation", SATURATION)
    budget = ["--pictures", pictures] if pictures else ["--minutes", 10]
    run("benchmarks/tutorial_baseline.py", "--root", root, "--seed", seed, *budget, "--out", folder / BASELINE)
    systems = ["--ckpt", released, "--pred", folder / BASELINE, "--classifier", classifier]
    skipped = ["--skip", "lpips", "--skip", "fid"]
    run("-m", "colorgan.evaluate", "--data", root / "val", *systems, *skipped, "--size", 64, "--json", results)
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
    for name in ("gray", BASELINE, "gan-fast"):
        columns = [[result["systems"][name][metric]["mean"] for result in results] for metric in METRICS]
        cells = [f"{', '.join(f'{v:.2f}' for v in values)}: {statistics.mean(values):.2f}" for values in columns]
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(f"\ncolorfulness of the truth: {results[0]['truth']['colorfulness']['mean']:.2f}")


if __name__ == "__main__":
    main()
