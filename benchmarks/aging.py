"""Compare how well checkpoints color clean pictures, and the same pictures made to look like old prints.

    python benchmarks/aging.py FOLDER CKPT [CKPT ...]

All pictures below FOLDER are evaluated at data.size, and aged in the same way for every checkpoint. The errors are
those of color alone.
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
    """Print the mean ab error in Lab units and the colorfulness of each checkpoint, on clean and aged pictures."""
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
            aged = age(rgb, 1.0, generator)
            truth, gray = split(rgb)[1], torch.zeros_like(rgb[:, :2])
            on_clean, on_aged = (split(model.paint([picture[0]])[0][None])[1] for picture in (rgb, aged))
            L = split(rgb)[0]
            rows.append(
                [
                    ab_error(gray, truth),
                    ab_error(on_clean, truth),
                    ab_error(on_aged, truth),
                    *(colorfulness(join(L, ab)) for ab in (truth, on_clean, on_aged)),
                ]
            )
        gray, clean, aged, *colorful = torch.tensor(rows).mean(dim=0).tolist()
        print(
            f"{checkpoint}: {len(rows)} pictures at {size} px; ab error {clean:.2f} clean, {aged:.2f} aged,"
            f" {gray:.2f} gray; colorfulness {colorful[1]:.1f} clean, {colorful[2]:.1f} aged, {colorful[0]:.1f} truth"
        )


if __name__ == "__main__":
    main()
