"""Judge a generator on each kind of photographs, and on all of them by the features of a pretrained network.

    python benchmarks/kinds.py FOLDER [--ckpt CKPT] [--size 128] [--body tf_efficientnet_lite1]

The sub-folders of FOLDER are the kinds. Prints for each kind and for all photographs, as squares of --size: the ab
error as a share of that of plain gray with its 95% bootstrap interval, PSNR, and colorfulness as a share of the
truth's; and the kernel distance of all of them to the truth, in the pooled features of a network of timm with published
weights, as a share of that of plain gray. A network that the critics of the training did not use is the fairer judge.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from colorgan import load
from colorgan.color import join, split
from colorgan.data.folder import class_from_path, find_images
from colorgan.evaluation.predictors import to_uint8
from colorgan.imaging import images
from colorgan.metrics import ab_error, colorfulness, psnr
from colorgan.metrics.bootstrap import percentile_interval
from colorgan.metrics.distances import kernel_distance
from colorgan.nets.bodies import make_body, standardize_rgb

BATCH_SIZE = 50


@torch.inference_mode()
def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ckpt", type=Path, help="a checkpoint (the released generator)")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--body", default="tf_efficientnet_lite1")
    args = parser.parse_args()
    model, names = load(args.ckpt), find_images(args.folder)
    body = make_body(args.body, pretrained=True, num_classes=0, channels=3).eval()
    values, features = [], {"gray": [], "colored": [], "true": []}
    for start in range(0, len(names), BATCH_SIZE):
        files = [args.folder / name for name in names[start : start + BATCH_SIZE]]
        rgb = torch.stack([torch.from_numpy(images.thumbnail(file, args.size, exact=True)) for file in files]) / 255
        L, ab = split(rgb)
        pictures = {"gray": join(L, torch.zeros_like(ab)), "colored": torch.stack(model.paint(list(rgb))), "true": rgb}
        pictures = {name: to_uint8(picture) / 255 for name, picture in pictures.items()}
        for name, picture in pictures.items():
            features[name].append(body(standardize_rgb(picture, body.pretrained_cfg)).double())
        colored = pictures["colored"]
        errors = [ab_error(split(pictures[name])[1], ab) for name in ("colored", "gray")]
        values.append(torch.stack([*errors, psnr(colored, rgb), colorfulness(colored), colorfulness(rgb)], dim=1))
    table = torch.cat(values).double().numpy()
    kinds = np.array([class_from_path(name) for name in names])
    print("kind            pictures  ab error, share of gray's   PSNR  colorfulness, share of the truth's")
    for kind in [*sorted(set(kinds)), "all"]:
        rows = table[(kinds == kind) | (kind == "all")]
        share = percentile_interval(lambda n, rows=rows: (n @ rows[:, 0]) / (n @ rows[:, 1]), len(rows))
        error = f"{share.mean:.3f} [{share.low:.3f}, {share.high:.3f}]"
        color = rows[:, 3].mean() / rows[:, 4].mean()
        print(f"{kind:15} {len(rows):8}  {error:>24}  {rows[:, 2].mean():5.2f}  {color:.2f}")
    true, colored, gray = (torch.cat(features[name]) for name in ("true", "colored", "gray"))
    distances = [kernel_distance(picture, true) for picture in (colored, gray)]
    print(f"KID in features of {args.body}: {distances[0]:.4f}, {distances[0] / distances[1]:.3f} of gray's")


if __name__ == "__main__":
    main()
