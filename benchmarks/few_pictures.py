"""How a Fréchet and a kernel distance depend on the number of judged pictures.

    python benchmarks/few_pictures.py PHOTOGRAPHS CKPT --classifier checkpoints/judge/best.ckpt --size 128

Parts of the pictures are drawn, and the distances of the model are told as shares of plain gray's.
"""

import argparse
import statistics
from pathlib import Path

import numpy as np
import torch

from colorgan.evaluation.colors import look
from colorgan.evaluation.frechet import frechet_distance
from colorgan.evaluation.judges import Judges
from colorgan.evaluation.judging import TRUTH, floors, judge
from colorgan.evaluation.kernel import kernel_distance
from colorgan.evaluation.painters import make_painters
from colorgan.evaluation.pictures import Album, judged_folder
from colorgan.systems import load_judge

DRAWINGS = 4
PARTS = (8, 4, 2, 1)  # of all pictures, these shares


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("checkpoint", type=Path, metavar="CKPT")
    parser.add_argument("--classifier", type=Path, required=True, help="a checkpoint of experiments/judge.yaml")
    parser.add_argument("--size", type=int, default=128, help="px of the squares that are judged (%(default)s)")
    args = parser.parse_args()
    album = Album(judged_folder(args.photographs))
    colors = look(album, args.size)
    painters = [floors(colors)[0], *make_painters([args.checkpoint], [], album)]
    judges = Judges(load_judge(args.classifier, "cpu"), album.classes, frozenset({"lpips", "fid"}), "cpu")
    judged = judge(album, painters, colors, args.size, judges, lambda done: None)
    features = {name: torch.from_numpy(found["fid_classifier"]) for name, found in judged.features.items()}
    gray, mine = (features[painter.name] for painter in painters)
    truth = features[TRUTH]
    counts = [len(truth) // part for part in PARTS]
    rng = np.random.default_rng(0)
    drawn = [[rng.permutation(len(truth))[:count] for _ in range(DRAWINGS)] for count in counts]

    def means(distance, x):
        return [statistics.mean(distance(x[i], truth[i]) for i in parts) for parts in drawn]

    print("| pictures | " + " | ".join(f"{count:,}" for count in counts) + " |\n|" + "---|" * (1 + len(counts)))
    for title, distance in (("FID", frechet_distance), ("KID", kernel_distance)):
        shares = [a / b for a, b in zip(means(distance, mine), means(distance, gray), strict=True)]
        print(f"| {title} | " + " | ".join(f"{share:.3f}" for share in shares) + " |")


if __name__ == "__main__":
    main()
