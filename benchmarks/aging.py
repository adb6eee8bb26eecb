"""How well checkpoints color clean pictures, and the same pictures made to look like old prints.

    python benchmarks/aging.py FOLDER CKPT [CKPT ...]

All pictures below FOLDER, each worn in one way, the same for every checkpoint; errors are of color alone, at data.size.
"""

import argparse
from pathlib import Path

import torch

from colorgan import load
from colorgan.color import join, split
from colorgan.data.aging import age
from colorgan.data.folder import find_images
from colorgan.imaging import images
from colorgan.metrics import ab_error, colorfulness


def main() -> None:
    """Prints for each checkpoint the mean ab error (Lab units) and the colorfulness, clean and aged."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("checkpoints", nargs="+", metavar="CKPT")
    args = parser.parse_args()
    for checkpoint in args.checkpoints:
        model = load(checkpoint)
        size = model.size
        generator = torch.Generator().manual_seed(0)
        rows = []
        for name in find_images(args.folder):
            rgb = torch.from_numpy(images.thumbnail(args.folder / name, size))[None].float() / 255
            worn = age(rgb, 1.0, generator)
            truth, gray = split(rgb)[1], torch.zeros_like(rgb[:, :2])
            clean, old = (split(model.paint([picture[0]])[0][None])[1] for picture in (rgb, worn))
            L = split(rgb)[0]
            rows.append(
                [
                    ab_error(gray, truth),
                    ab_error(clean, truth),
                    ab_error(old, truth),
                    *(colorfulness(join(L, ab)) for ab in (truth, clean, old)),
                ]
            )
        gray, clean, old, *colorful = torch.tensor(rows).mean(dim=0).tolist()
        print(
            f"{checkpoint}: {len(rows)} pictures at {size} px; ab error {clean:.2f} clean, {old:.2f} aged,"
            f" {gray:.2f} gray; colorfulness {colorful[1]:.1f} clean, {colorful[2]:.1f} aged, {colorful[0]:.1f} truth"
        )


if __name__ == "__main__":
    main()
