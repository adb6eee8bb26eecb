"""Export every experiment's colorizer at its full size to ONNX, and print how far ONNX Runtime is from torch.

Weights are random, and the last layer is scaled so that colors are as strong as those of a trained net.

    python benchmarks/export.py [EXPERIMENT ...]
"""

import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

from colorgan import config
from colorgan.colorizer.checkpoint import build_colorizer
from colorgan.colorizer.colorizer import Colorizer, Conditions
from colorgan.exporting.graph import trace
from colorgan.exporting.onnx_file import write
from colorgan.exporting.parity import SHAPES, largest_difference
from colorgan.packaged import experiments
from colorgan.systems import TABLES

DEVIATION = {"regress": 0.3, "bins": 3.0, "axis_bins": 3.0, "histograms": 3.0}  # of the output of a net, by codec


@torch.no_grad()
def random_colorizer(file: Path) -> tuple[Colorizer, str] | None:
    """Build the colorizer of an experiment with random weights, and name its codec; None for a classifier."""
    experiment = config.load(file, [], TABLES)
    if experiment.system.name == "classifier":
        return None
    colorizer = build_colorizer(experiment, experiment.data.size, pretrained=False, weights=None)
    net, L = colorizer.net, 100 * torch.rand(2, 1, 64, 64)
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    head = [m for m in layers if m.out_channels == colorizer.codec.channels][-1]
    if not head.weight.any():
        head.reset_parameters()
    net.train()(L)  # batch statistics
    scale = DEVIATION[experiment.codec.name] / net.eval()(L).std()
    head.weight.mul_(scale)
    return colorizer.eval(), experiment.codec.name


def main() -> None:
    """Print a row of a Markdown table for each experiment."""
    torch.manual_seed(0)
    files = {name: file for name, file in experiments().items() if name in sys.argv[1:] or not sys.argv[1:]}
    print("| experiment | net | codec | MB | s to export | largest value of ab | largest difference |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name, file in files.items():
        built = random_colorizer(file)
        if built is None:
            continue
        colorizer, codec = built
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            path = Path(folder) / "model.onnx"
            run = write(trace(colorizer), path, {"colorgan": "benchmark"}, "float32")
            seconds, megabytes = time.perf_counter() - started, path.stat().st_size / 1e6
            largest = max(
                float(colorizer.predict(Conditions(100 * torch.rand(b, 1, h, w))).abs().max()) for b, h, w in SHAPES
            )
            difference = largest_difference(colorizer, run)
        net = type(colorizer.net).__name__
        print(
            f"| `{name}` | {net} | {codec} | {megabytes:.0f} | {seconds:.0f} | {largest:.0f} | {difference:.1g} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
