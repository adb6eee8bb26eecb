"""Compare time and memory of two ways to find the nearest color bins for the soft encoding of Zhang 2016.

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

BATCH, SIDE = 40, 44  # Zhang's batch of 176 px pictures, at a quarter of their size
NEIGHBOR_COUNT = 5
REPEATS = 20
BINS = in_gamut_bins()
NEIGHBORS = NearestNeighbors(BINS, NEIGHBOR_COUNT)


def all_distances(ab: Tensor) -> Tensor:
    """Find the nearest bins of ab (B, 2, H, W) among all bins."""
    return torch.cdist(ab.movedim(1, -1).reshape(-1, 2), BINS).topk(NEIGHBOR_COUNT, largest=False).indices


def by_cells(ab: Tensor) -> Tensor:
    """Find the nearest bins of ab (B, 2, H, W) among those of the color's cell."""
    return NEIGHBORS(ab)[0]


def memory_mb(field: str) -> float:
    """Return the memory of this process in MB by its field in /proc/self/status: `VmRSS` now, `VmHWM` at the peak."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split(f"{field}:")[1].split()[0]) / 1024


def measure(encode: Callable[[Tensor], Tensor], queue: multiprocessing.Queue) -> None:
    """Put the seconds of the fastest batch and the peak memory of the first one in MB into a queue."""
    _, ab = split(torch.rand(BATCH, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)))
    encode(ab[:1])
    before = memory_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # reset VmHWM, which is that of the imports
    encode(ab)
    peak = memory_mb("VmHWM") - before
    seconds = []
    for _ in range(REPEATS):  # take the fastest, as other processes only slow it down
        start = time.perf_counter()
        encode(ab)
        seconds.append(time.perf_counter() - start)
    queue.put((min(seconds), peak))


def main() -> None:
    """Measure each way in a separate process, so that it does not reuse memory of the other one."""
    context = multiprocessing.get_context("spawn")
    results = []
    for encode in (all_distances, by_cells):
        queue = context.Queue()
        process = context.Process(target=measure, args=(encode, queue))
        process.start()
        results.append(queue.get())
        process.join()
        print(f"{encode.__name__}: {1000 * results[-1][0]:.1f} ms a batch, {results[-1][1]:.0f} MB more at the peak")
    (slow, large), (fast, small) = results
    print(f"ratios: {slow / fast:.1f} in time, {large / small:.1f} in memory; nproc {os.cpu_count()}")


if __name__ == "__main__":
    main()
