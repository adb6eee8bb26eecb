"""Measure the color of skin that a generator paints, by the lightness of the skin.

    python benchmarks/skin.py FACES [--ckpt CKPT] [--size 128]

FACES is a folder of color photographs of faces. Skin is found in the true colors by the range of Cb and Cr of Chai and
Ngan 1999 ("Face segmentation using skin-color map"), within the middle half of each side of the picture.
Photographs with less than 5% of such pixels there are left out. Prints for each third of the photographs, by the mean
lightness of their skin, the mean true and predicted color, the length of the difference, and the mean ab error.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from colorgan import load
from colorgan.color import split
from colorgan.data.folder import find_images
from colorgan.imaging import images

CB, CR = (77, 127), (133, 173)
MIN_SHARE = 0.05


def find_skin(rgb: Tensor) -> Tensor:
    """Return which pixels of pictures (B, 3, H, W) in [0, 1] are skin, bool (B, H, W)."""
    r, g, b = (255 * rgb).unbind(1)
    cb = 128 - 0.168736 * r - 0.331264 * g + 0.5 * b
    cr = 128 + 0.5 * r - 0.418688 * g - 0.081312 * b
    inside = torch.zeros_like(r, dtype=torch.bool)
    height, width = r.shape[-2:]
    inside[:, height // 4 : -(height // 4), width // 4 : -(width // 4)] = True
    return inside & (cb >= CB[0]) & (cb <= CB[1]) & (cr >= CR[0]) & (cr <= CR[1])


def main() -> None:
    """Color the faces, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ckpt", type=Path)
    parser.add_argument("--size", type=int, default=128, help="side of the squares, in pixels")
    args = parser.parse_args()
    pixels = [images.thumbnail(args.folder / name, args.size) for name in find_images(args.folder)]
    rgb = torch.stack([torch.from_numpy(p) for p in pixels]).float() / 255
    model = load(args.ckpt)
    painted = torch.stack(model.paint(list(rgb)))
    (L, true), (_, predicted) = split(rgb), split(painted)
    skin = find_skin(rgb)
    kept = skin.float().mean(dim=(1, 2)) > MIN_SHARE / 4  # the middle is a quarter of the picture
    rows = []
    for i in kept.nonzero()[:, 0].tolist():
        colors = [x[i].movedim(0, -1)[skin[i]] for x in (L, true, predicted)]
        error = (colors[1] - colors[2]).norm(dim=1).mean()
        rows.append(torch.stack([colors[0].mean(), *colors[1].mean(0), *colors[2].mean(0), error]))
    table = torch.stack(sorted(rows, key=lambda row: row[0].item()))
    print(f"{len(table)} of {len(rgb)} photographs show skin")
    print("  L of skin   true a, b     predicted a, b   difference   ab error")
    for third in table.tensor_split(3):
        low, high = third[0, 0], third[-1, 0]
        _, a, b, pa, pb, error = third.mean(0).tolist()
        distance = ((a - pa) ** 2 + (b - pb) ** 2) ** 0.5
        print(f"{low:5.0f} to {high:2.0f}  {a:6.1f} {b:6.1f}   {pa:6.1f} {pb:6.1f}  {distance:9.1f}  {error:12.1f}")


if __name__ == "__main__":
    main()
