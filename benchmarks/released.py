"""The picture of the released generator: gray, colored and true, of the package's photographs, which it has not seen.

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

SIDE = 192  # pixels of each square shown
ACROSS = 2  # photographs in a row


def shown(picture: torch.Tensor) -> torch.Tensor:
    """The center of (3, H, W) as (3, SIDE, SIDE)."""
    side = min(picture.shape[1:])
    top, left = ((length - side) // 2 for length in picture.shape[1:])
    square = picture[None, :, top : top + side, left : left + side]
    return F.interpolate(square, (SIDE, SIDE), mode="bicubic", antialias=True)[0].clamp(0, 1)


def main() -> None:
    """Colors at full size, then shrinks."""
    given = [Path(argument) for argument in sys.argv[2:]]
    files = [file for path in given for file in (map(path.joinpath, find_images(path)) if path.is_dir() else [path])]
    model, columns = load(), []
    for file in files or paths():
        rgb = torch.from_numpy(images.read(file).rgb).permute(2, 0, 1)
        L, _ = split(rgb[None])
        columns += [shown(p) for p in (join(L, torch.zeros_like(rgb[None, :2]))[0], model.paint([rgb])[0], rgb)]
    save_image(torch.stack(columns), sys.argv[1], nrow=3 * ACROSS, pad_value=1)


if __name__ == "__main__":
    main()
