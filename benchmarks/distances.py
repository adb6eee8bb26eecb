"""Measure how the Fréchet distance depends on the number of pictures, and on how much of the true color is known.

    python benchmarks/distances.py PHOTOGRAPHS CKPT --classifier checkpoints/judge/best.ckpt --size 128

The Fréchet and kernel distances of a model are given as ratios to those of gray pictures. The first table is for random
subsets of the pictures. For the second, the predictions for all pictures are corrected by parts of the true color. It
also has an ideal generator: features with the mean and the covariance of those of the true pictures, which differ from
them, picture by picture, as much as the model's do. Its distances are due to chance, not to a fault of a generator.
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

SUBSETS = 4  # random subsets of each size
DIVISORS = (8, 4, 2, 1)  # a subset has 1/8, 1/4, ... of all pictures
PATCH_SIZE = 32  # px


def mean(ab: Tensor) -> Tensor:
    """Return the mean color (B, 2, 1, 1) of each picture."""
    return ab.mean(dim=(2, 3), keepdim=True)


def patch_means(ab: Tensor) -> Tensor:
    """Return the mean colors of patches, interpolated to the size of ab (B, 2, H, W)."""
    return F.interpolate(F.avg_pool2d(ab, PATCH_SIZE), ab.shape[2:], mode="bilinear")


# Name -> function of predicted and true ab (B, 2, H, W), which returns the corrected ab.
CORRECTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "nothing": lambda ab, true: ab,
    "the mean color of each picture": lambda ab, true: ab - mean(ab) + mean(true),
    "all but that": lambda ab, true: true - mean(true) + mean(ab),
    "every color half": lambda ab, true: (ab + true) / 2,
    f"one color every {PATCH_SIZE} px, and nothing else": lambda ab, true: patch_means(true),
}


class CorrectedPredictor:
    """A predictor whose colors are corrected by a part of the true ones.

    Args:
        name: key of CORRECTIONS.
        colorizer: the model.
    """

    def __init__(self, name: str, colorizer: Colorizer):
        self.name = name
        self.colorizer = colorizer

    def predict(self, indices: list[int], rgb: Tensor) -> list[Tensor]:
        rgb = rgb.float() / 255
        L, true = split(rgb)
        _, ab = split(torch.stack(self.colorizer.paint(list(rgb))))
        return list(to_uint8(join(L, CORRECTIONS[self.name](ab, true))))


def ideal_features(features: Tensor, truth: Tensor) -> Tensor:
    """Draw features with the mean and covariance of the true ones, and as far from them as the given ones.

    Args:
        features: features of a model's pictures (N, F).
        truth: features of the true pictures (N, F).

    Returns:
        features (N, F): correlated with the true ones, plus Gaussian noise.
    """
    centered = truth - truth.mean(dim=0)
    noise = torch.randn(len(truth), len(truth), generator=torch.Generator().manual_seed(0)) @ centered
    distance = (features - truth).square().sum() / centered.square().sum()  # 2 - 2 r, with the correlation r
    r = 1 - distance / 2
    return truth.mean(dim=0) + r * centered + (1 - r**2).sqrt() * noise / (len(truth) - 1) ** 0.5


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("checkpoint", type=Path, metavar="CKPT")
    parser.add_argument("--classifier", type=Path, required=True, help="a checkpoint of experiments/judge.yaml")
    parser.add_argument("--size", type=int, default=128, help="side of the evaluated squares in px (%(default)s)")
    args = parser.parse_args()
    dataset = EvaluationDataset(validation_folder(args.photographs))
    colors = color_statistics(dataset, args.size)
    colorizer = load(args.checkpoint)
    predictors = [make_baselines(colors.mean_ab)[0], *(CorrectedPredictor(name, colorizer) for name in CORRECTIONS)]
    networks = FeatureNetworks(load_classifier(args.classifier, "cpu"), dataset.classes, ["lpips", "fid"], "cpu")
    scores = score(dataset, predictors, colors, args.size, networks)
    measure = METRICS["fid_classifier"].measure
    features = {name: torch.from_numpy(values[measure]).float() for name, values in scores.values.items()}
    truth, gray = features[TRUTH], features[predictors[0].name]

    rng = np.random.default_rng(0)
    subsets = [[rng.permutation(len(truth))[: len(truth) // n] for _ in range(SUBSETS)] for n in DIVISORS]
    print(
        "| pictures | " + " | ".join(f"{len(parts[0]):,}" for parts in subsets) + " |\n|" + "---|" * (1 + len(DIVISORS))
    )
    for title, distance in (("FID", frechet_distance), ("KID", kernel_distance)):
        means = [
            [statistics.mean(distance(x[i], truth[i]) for i in parts) for parts in subsets]
            for x in (features["nothing"], gray)
        ]
        print(f"| {title} | " + " | ".join(f"{a / b:.3f}" for a, b in zip(*means, strict=True)) + " |")

    print("\n| known | PSNR | ab error | FID | KID |\n|---|---|---|---|---|")
    features["an ideal generator"] = ideal_features(features["nothing"], truth)
    for name in (*CORRECTIONS, "an ideal generator"):
        of_pixels = [METRICS[key].measure for key in ("psnr", "ab_error")]
        pixels = [f"{scores.values[name][measure].mean():.2f}" if name in CORRECTIONS else "" for measure in of_pixels]
        distances = (frechet_distance, kernel_distance)
        ratios = [f"{distance(features[name], truth) / distance(gray, truth):.3f}" for distance in distances]
        print(f"| {name} | " + " | ".join([*pixels, *ratios]) + " |")


if __name__ == "__main__":
    main()
