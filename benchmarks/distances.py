"""What a Fréchet distance of few pictures says: by the number of pictures, and by how much of the truth is known.

    python benchmarks/distances.py PHOTOGRAPHS CKPT --classifier checkpoints/judge/best.ckpt --size 128

The model's distances, a kernel distance beside, are told as shares of plain gray's. Parts of the pictures are drawn;
then the model is told a part of the true colors of all of them. An ideal generator stands beside: features with the
truth's mean and covariance that differ from it, picture by picture, as much as the model's do. What it has is chance,
and no generator's fault.
"""

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from colorgan import load
from colorgan.color import join, split
from colorgan.colorizer.colorizer import Colorizer
from colorgan.evaluation.dataset import EvaluationDataset, color_statistics, validation_folder
from colorgan.evaluation.predictors import TRUTH, make_baselines, to_uint8
from colorgan.evaluation.scoring import score
from colorgan.metrics.distances import frechet_distance, kernel_distance
from colorgan.metrics.networks import FeatureNetworks
from colorgan.metrics.registry import METRICS
from colorgan.systems.building import load_classifier

DRAWINGS = 4
PARTS = (8, 4, 2, 1)  # of all pictures, these shares
COARSE = 32  # px of a patch


def mean(ab: Tensor) -> Tensor:
    """One color a picture."""
    return ab.mean(dim=(2, 3), keepdim=True)


def coarse(ab: Tensor) -> Tensor:
    """One color a patch, smoothly joined."""
    return F.interpolate(F.avg_pool2d(ab, COARSE), ab.shape[2:], mode="bilinear")


TOLD: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "nothing": lambda own, true: own,
    "the mean color of each picture": lambda own, true: own - mean(own) + mean(true),
    "all but that": lambda own, true: true - mean(true) + mean(own),
    "every color half": lambda own, true: (own + true) / 2,
    f"one color every {COARSE} px, and nothing else": lambda own, true: coarse(true),
}


class Told:
    """A colorizer that knows a part of the true ab."""

    def __init__(self, name: str, colorizer: Colorizer):
        self.name = name
        self.colorizer = colorizer

    def predict(self, indices: list[int], rgb: Tensor) -> list[Tensor]:
        rgb = rgb.float() / 255
        L, true = split(rgb)
        _, own = split(torch.stack(self.colorizer.paint(list(rgb))))
        return list(to_uint8(join(L, TOLD[self.name](own, true))))


def ideal(features: Tensor, truth: Tensor) -> Tensor:
    """Gaussian features (N, F) as far from the truth's as the given ones, that share its mean and covariance."""
    centered = truth - truth.mean(dim=0)
    noise = torch.randn(len(truth), len(truth), generator=torch.Generator().manual_seed(0)) @ centered
    apart = (features - truth).square().sum() / centered.square().sum()  # 2 - 2 r of features that correlate by r
    r = 1 - apart / 2
    return truth.mean(dim=0) + r * centered + (1 - r**2).sqrt() * noise / (len(truth) - 1) ** 0.5


def main() -> None:
    """Prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("checkpoint", type=Path, metavar="CKPT")
    parser.add_argument("--classifier", type=Path, required=True, help="a checkpoint of experiments/judge.yaml")
    parser.add_argument("--size", type=int, default=128, help="px of the squares that are judged (%(default)s)")
    args = parser.parse_args()
    dataset = EvaluationDataset(validation_folder(args.photographs))
    colors = color_statistics(dataset, args.size)
    colorizer = load(args.checkpoint)
    predictors = [make_baselines(colors.mean_ab)[0], *(Told(name, colorizer) for name in TOLD)]
    networks = FeatureNetworks(load_classifier(args.classifier, "cpu"), dataset.classes, ["lpips", "fid"], "cpu")
    scores = score(dataset, predictors, colors, args.size, networks)
    measure = METRICS["fid_classifier"].measure
    features = {name: torch.from_numpy(values[measure]).float() for name, values in scores.values.items()}
    truth, gray = features[TRUTH], features[predictors[0].name]

    rng = np.random.default_rng(0)
    drawn = [[rng.permutation(len(truth))[: len(truth) // part] for _ in range(DRAWINGS)] for part in PARTS]
    print("| pictures | " + " | ".join(f"{len(parts[0]):,}" for parts in drawn) + " |\n|" + "---|" * (1 + len(PARTS)))
    for title, distance in (("FID", frechet_distance), ("KID", kernel_distance)):
        means = [
            [statistics.mean(distance(x[i], truth[i]) for i in parts) for parts in drawn]
            for x in (features["nothing"], gray)
        ]
        print(f"| {title} | " + " | ".join(f"{a / b:.3f}" for a, b in zip(*means, strict=True)) + " |")

    print("\n| told | PSNR | ab error | FID | KID |\n|---|---|---|---|---|")
    features["an ideal generator"] = ideal(features["nothing"], truth)
    for name in (*TOLD, "an ideal generator"):
        of_pixels = [METRICS[key].measure for key in ("psnr", "ab_error")]
        pixels = [f"{scores.values[name][measure].mean():.2f}" if name in TOLD else "" for measure in of_pixels]
        distances = (frechet_distance, kernel_distance)
        shares = [f"{distance(features[name], truth) / distance(gray, truth):.3f}" for distance in distances]
        print(f"| {name} | " + " | ".join([*pixels, *shares]) + " |")


if __name__ == "__main__":
    main()
