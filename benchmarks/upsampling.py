"""Measure the error of upsampling: true color is shrunk to 64 and 128 px, and upsampled again in each way.

    python benchmarks/upsampling.py [FOLDER ...]

The photographs are those of the package and of the folders, without those less than twice as large as the small size.
"""

import os
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import get_args

import torch
import torch.nn.functional as F

from colorgan.color import split
from colorgan.colorizer.upsampling import Upsampling, make_upsampler
from colorgan.data.folder import find_images
from colorgan.data.photos import paths
from colorgan.imaging import images
from colorgan.metrics import ab_error

SIZES = (64, 128)


def main() -> None:
    """Print the mean ab error in Lab units and the time in seconds per megapixel of each way."""
    files = list(paths()) + [Path(folder) / name for folder in sys.argv[1:] for name in find_images(Path(folder))]
    errors, seconds, pixels = defaultdict(list), defaultdict(float), defaultdict(int)
    make_upsampler("guided", torch.zeros(1, 2, 2, 2), torch.zeros(1, 1, 2, 2), (4, 4))(torch.zeros(4, 4), 0)  # loads it
    for file in files:
        L, ab = split(torch.from_numpy(images.read(file).rgb).permute(2, 0, 1)[None])
        for size in SIZES:
            scale = size / min(L.shape[-2:])
            if scale > 0.5:
                continue
            shape = [round(side * scale) for side in L.shape[-2:]]
            small, shrunk = (F.interpolate(x, shape, mode="bilinear", antialias=True) for x in (L, ab))
            for name in get_args(Upsampling):
                start = time.perf_counter()
                full = make_upsampler(name, shrunk, small, L.shape[-2:])(L[0, 0], 0)[None]
                seconds[size, name] += time.perf_counter() - start
                pixels[size, name] += L.numel()
                errors[size, name].append(float(ab_error(full, ab)))
    print(f"nproc {os.cpu_count()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for (size, name), values in errors.items():
        rate = seconds[size, name] / pixels[size, name] * 1e6
        print(
            f"{size} px, {name}: ab error {sum(values) / len(values):.2f} on {len(values)} photographs, {rate:.2f} s/MP"
        )


if __name__ == "__main__":
    main()
