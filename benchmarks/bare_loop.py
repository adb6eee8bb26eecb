"""Compare the suite's training step with a bare loop over the same networks, losses and optimizers.

    python benchmarks/bare_loop.py gan [--windows 10] [--batches 10] [key=value ...]

The suite runs as in `colorgan.train`: Lightning, logging, the average, augmentation, data from the cache. The bare loop
is plain PyTorch: float batches that wait in memory, the steps below, and nothing else. The two alternate, a window of
batches each, in one process. Printed are the medians of the milliseconds a step, by the clock and of CPU time, and
their ratio; `colorgan.bench train` tells where the suite's time goes. For `gan`, `gan-places365` and `zhang2016`.
"""

import argparse
import copy
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from colorgan import config
from colorgan.color import split
from colorgan.colorizer.colorizer import Conditions, resize_color
from colorgan.losses import ADVERSARIAL
from colorgan.optim.optimizers import make_optimizer
from colorgan.systems import TABLES
from colorgan.systems.adversarial import Adversarial
from colorgan.systems.base import System
from colorgan.training.trainer import fit

WARM_UP = 5  # batches of each
FIXED = ("trainer.max_epochs=1", "trainer.limit_val_batches=1", "data.cache=ram", "checkpoint.keep=1")


def supervised_step(system: System) -> Callable[[Tensor], None]:
    """Return a training step with the color loss alone, for a batch rgb (B, 3, H, W) in [0, 1]."""
    model = copy.deepcopy(system.model)
    optimizer = make_optimizer(model.net, system.experiment.optim, 1.0)

    def step(rgb: Tensor) -> None:
        L, ab = split(rgb)
        loss = model.codec.loss(model.net(L), L, ab)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def adversarial_step(system: Adversarial) -> Callable[[Tensor], None]:
    """Return a training step of a conditional GAN, for a batch rgb (B, 3, H, W) in [0, 1]."""
    model, discriminator = copy.deepcopy((system.model, system.discriminator))
    optim = system.experiment.optim
    optimizers = [make_optimizer(net, optim, 1.0) for net in (model.net, discriminator)]
    discriminator_loss, generator_loss = ADVERSARIAL[system.experiment.system.loss]
    color_weight, real_label = system.color_weight, system.real_label

    def step(rgb: Tensor) -> None:
        L, ab = split(rgb)
        real = discriminator.features(torch.cat([L, ab], dim=1))
        out = model.net(L)
        colored = resize_color(model.predict(Conditions(L), out), L)
        fake = discriminator.features(torch.cat([L, colored], dim=1))

        logits = [discriminator(real), discriminator([x.detach() for x in fake])]
        optimizers[1].zero_grad()
        discriminator_loss(*logits, real_label).backward()
        optimizers[1].step()

        discriminator.requires_grad_(False)
        loss = generator_loss(discriminator(fake)) + color_weight * model.codec.loss(out, L, ab)
        optimizers[0].zero_grad()
        loss.backward()
        optimizers[0].step()
        discriminator.requires_grad_(True)

    return step


class Alternate(Callback):
    """Runs a window of the bare loop after each window of the suite, on copies of its networks.

    Args:
        windows: number of each.
        batches: number of batches in a window.
    """

    def __init__(self, windows: int, batches: int):
        self.ends = [WARM_UP + i * batches for i in range(windows + 1)]
        self.batches = batches
        self.suite: list[tuple[float, float]] = []  # seconds a step, by the clock and of CPU time
        self.bare: list[tuple[float, float]] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: System) -> None:
        make = adversarial_step if isinstance(pl_module, Adversarial) else supervised_step
        self.step = make(pl_module)
        self.held: list[Tensor] = []

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: System, batch: Any, batch_idx: int) -> None:
        if len(self.held) < WARM_UP:
            self.held.append(batch["rgb"].clone())
            self.step(batch["rgb"])
        if batch_idx not in self.ends:
            return
        if batch_idx > WARM_UP:
            self.suite.append(self.since(self.start))
        if batch_idx < self.ends[-1]:
            start = now()
            for i in range(self.batches):
                self.step(self.held[i % WARM_UP])
            self.bare.append(self.since(start))
        self.start = now()

    def since(self, start: tuple[float, float]) -> tuple[float, float]:
        """Return the seconds a step since `start`, by the clock and of CPU time."""
        return tuple((after - before) / self.batches for before, after in zip(start, now(), strict=True))


def now() -> tuple[float, float]:
    """Return the time by the clock and the CPU time of this process."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter(), time.process_time()


def main() -> None:
    """Print the medians of both and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--windows", type=int, default=10)
    parser.add_argument("--batches", type=int, default=10)
    args = parser.parse_intermixed_args()
    steps = Alternate(args.windows, args.batches)
    with tempfile.TemporaryDirectory() as folder:
        batches = steps.ends[-1] + 1
        fixed = [*FIXED, f"trainer.limit_train_batches={batches}", f"run_dir={folder}", "wandb.mode=offline"]
        fit(config.load(args.experiment, [*fixed, *args.overrides], TABLES), callbacks=[steps])
    if len(steps.suite) < args.windows:
        raise SystemExit(f"the data has fewer than {batches} batches: fewer --windows or --batches")
    for kind, values in (("suite", steps.suite), ("bare loop", steps.bare)):
        wall, cpu = (1000 * statistics.median(column) for column in zip(*values, strict=True))
        print(f"{kind}: {wall:.1f} ms a step, {cpu:.1f} ms of CPU time")
    pairs = zip(steps.suite, steps.bare, strict=True)
    wall, cpu = zip(*([a / b for a, b in zip(suite, bare, strict=True)] for suite, bare in pairs), strict=True)
    print(
        f"{args.experiment}: suite/bare {statistics.median(wall):.3f} by the clock (quartiles {spread(wall)}), ", end=""
    )
    print(f"{statistics.median(cpu):.3f} of CPU time ({spread(cpu)}); nproc {os.cpu_count()}")


def spread(values: tuple[float, ...]) -> str:
    """Return the quartiles."""
    first, _, third = statistics.quantiles(values, n=4)
    return f"{first:.3f} to {third:.3f}"


if __name__ == "__main__":
    main()
