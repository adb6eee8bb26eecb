"""How much faster and smaller the soft encoding of Zhang 2016 is by cells than by all distances, in one run.

python benchmarks/encoding.py
"""

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from colorgan.codecs.neighbors import NearestNeighbors
from colorgan.color import in_gamut_bins, split

BATCH, SIDE, COUNT, REPEATS = 40, 44, 5, 20  # Zhang's batch of 176 px pictures, at a quarter of the size
BINS = in_gamut_bins()
NEIGHBORS = NearestNeighbors(BINS, COUNT)


def all_distances(ab: Tensor) -> Tensor:
    """The nearest bins by the distances to all of them."""
    return torch.cdist(ab.movedim(1, -1).reshape(-1, 2), BINS).topk(COUNT, largest=False).indices


def by_cells(ab: Tensor) -> Tensor:
    """The nearest bins by the distances to those of the color's cell."""
    return NEIGHBORS(ab)[0]


def megabytes(line: str) -> float:
    """A line of what Linux tells of this process' memory: `VmRSS` now, `VmHWM` at the peak."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split(f"{line}:")[1].split()[0]) / 1024


def measure(encode: Callable[[Tensor], Tensor], queue: multiprocessing.Queue) -> None:
    """Puts the seconds of the fastest batch, and the megabytes that the first one takes at its peak."""
    _, ab = split(torch.rand(BATCH, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)))
    encode(ab[:1])
    before = megabytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # else the peak of the imports hides a small one
    encode(ab)
    peak = megabytes("VmHWM") - before
    seconds = []
    for _ in range(REPEATS):  # the fastest: other processes only ever add
        start = time.perf_counter()
        encode(ab)
        seconds.append(time.perf_counter() - start)
    queue.put((min(seconds), peak))


def main() -> None:
    """Measures each in a process of its own, so that neither sees the other's memory."""
    context = multiprocessing.get_context("spawn")
    found = []
    for encode in (all_distances, by_cells):
        queue = context.Queue()
        process = context.Process(target=measure, args=(encode, queue))
        process.start()
        found.append(queue.get())
        process.join()
        print(f"{encode.__name__}: {1000 * found[-1][0]:.1f} ms a batch, {found[-1][1]:.0f} MB more at the peak")
    (slow, large), (fast, small) = found
    print(f"ratios: {slow / fast:.1f} in time, {large / small:.1f} in memory; nproc {os.cpu_count()}")


if __name__ == "__main__":
    main()
