"""experiments/gan-fast.yaml against the GAN of the tutorials: ten minutes each, the same pictures, three seeds.

    python benchmarks/holdout.py SCENES HELD
    python benchmarks/equal_time.py HELD --classifier checkpoints/judge/best.ckpt --out OUT

Both train on HELD/train, one after the other, on an otherwise idle machine, and are judged on HELD/val at 64 px. The
classifier that gan-fast's discriminator looks through is trained within its ten minutes. Seeds that are done are kept.
gan-fast is released with more chroma, as its pictures are duller than the true ones.

What the baseline gives depends on how many pictures the machine trains it on in ten minutes (docs/recipe.md);
--pictures gives it as many as a faster machine would, however long that takes.
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
SATURATION = 1.05


def run(*command: object) -> None:
    """Runs a Python program; stops where it fails."""
    subprocess.run([sys.executable, *map(str, command)], check=True)


def train_and_judge(root: Path, classifier: Path, out: Path, seed: int, pictures: int | None) -> Path:
    """One seed of both; returns the JSON of `colorgan.evaluate`."""
    folder = out / f"seed-{seed}"
    results = folder / "results.json"
    if results.exists():
        return results
    if folder.exists():
        raise SystemExit(f"{folder}: holds half a comparison; remove it")
    # Baselines of tutorials do not validate while they train, so gan-fast does it on a few pictures only.
    given = [f"seed={seed}", f"data.root={root}", "wandb.mode=disabled", "trainer.limit_val_batches=8"]
    features, fast, released = folder / "features", folder / "run", folder / "gan-fast.ckpt"
    run("-m", "colorgan.train", "experiments/features.yaml", *given, f"run_dir={features}")
    weights = f"discriminator.weights={features / 'last.ckpt'}"
    run("-m", "colorgan.train", "experiments/gan-fast.yaml", *given, f"run_dir={fast}", weights)
    run("-m", "colorgan.release", fast / "last.ckpt", released, "--saturation", SATURATION)
    budget = ["--pictures", pictures] if pictures else ["--minutes", 10]
    run("benchmarks/tutorial_baseline.py", "--root", root, "--seed", seed, *budget, "--out", folder / BASELINE)
    judged = ["--ckpt", released, "--pred", folder / BASELINE, "--classifier", classifier]
    left_out = ["--skip", "lpips", "--skip", "fid"]
    run("-m", "colorgan.evaluate", "--data", root / "val", *judged, *left_out, "--size", 64, "--json", results)
    return results


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="photographs: train/ and val/, as holdout.py makes them")
    parser.add_argument("--classifier", type=Path, required=True, help="a checkpoint of experiments/judge.yaml")
    parser.add_argument("--out", type=Path, required=True, help="where the runs go")
    parser.add_argument("--pictures", type=int, help="that the baseline is trained on, in place of ten minutes")
    args = parser.parse_args()
    files = [train_and_judge(args.root, args.classifier, args.out, seed, args.pictures) for seed in SEEDS]
    judged = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    print(f"nproc {os.cpu_count()}; seeds {', '.join(map(str, SEEDS))} and their mean\n")
    print("| | " + " | ".join(METRICS) + " |\n|" + "---|" * (1 + len(METRICS)))
    for name in ("gray", BASELINE, "gan-fast"):
        columns = [[results["systems"][name][metric]["mean"] for results in judged] for metric in METRICS]
        cells = [f"{', '.join(f'{v:.2f}' for v in values)}: {statistics.mean(values):.2f}" for values in columns]
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(f"\ncolorfulness of the truth: {judged[0]['truth']['colorfulness']['mean']:.2f}")


if __name__ == "__main__":
    main()
