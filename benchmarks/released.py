"""Draw photographs as gray, colored by the released generator, and true; by default those of the package.

The generator was not trained on them.

    python benchmarks/released.py OUT.png [FOLDER_OR_FILE ...]
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torchvision.utils import save_image

from colorgan import load
from colorgan.color import join, split
from colorgan.data.folder import find_images
from colorgan.data.photos import paths
from colorgan.imaging import images

SIDE = 192  # of each square, in pixels
PER_ROW = 2  # photographs


def center_square(picture: torch.Tensor) -> torch.Tensor:
    """Crop the center square of a picture (3, H, W), and resize it to (3, SIDE, SIDE)."""
    side = min(picture.shape[1:])
    top, left = ((length - side) // 2 for length in picture.shape[1:])
    square = picture[None, :, top : top + side, left : left + side]
    return F.interpolate(square, (SIDE, SIDE), mode="bicubic", antialias=True)[0].clamp(0, 1)


def main() -> None:
    """Color the photographs at full size, then shrink them."""
    given = [Path(argument) for argument in sys.argv[2:]]
    files = [file for path in given for file in (map(path.joinpath, find_images(path)) if path.is_dir() else [path])]
    model, columns = load(), []
    for file in files or paths():
        rgb = torch.from_numpy(images.read(file).rgb).permute(2, 0, 1)
        L, _ = split(rgb[None])
        columns += [center_square(p) for p in (join(L, torch.zeros_like(rgb[None, :2]))[0], model.paint([rgb])[0], rgb)]
    save_image(torch.stack(columns), sys.argv[1], nrow=3 * PER_ROW, pad_value=1)


if __name__ == "__main__":
    main()
