"""Train the colorization GAN of the tutorials as a baseline, for the same time on the same data.

    python benchmarks/tutorial_baseline.py --root FOLDER --minutes 10 --out FOLDER
    python benchmarks/tutorial_baseline.py --root FOLDER --minutes 3 --lab workers --size 256 --networks gan-places365

A U-Net of 64 channels and a PatchGAN of 64 with weights N(0, 0.02); binary cross entropy + 100 x L1; Adam at 2e-4 with
betas 0.5 and 0.999; batches of 16 in float32; three passes of the discriminator per step; no averaging, no crops. Only
data loading and color conversion are those of colorgan, and with `--lab workers` those of the tutorials, too: Pillow
resizes and scikit-image converts, picture by picture, in the workers. `--networks EXPERIMENT` trains the networks of
one of our experiments in the same loop, so that only the loops differ: `colorgan.bench train EXPERIMENT` gives the
other speed.
With `--out`, the colored validation pictures are written for `colorgan.evaluate --pred`.
"""

import argparse
import math
import os
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import torch
from omegaconf import OmegaConf
from PIL import Image
from skimage.color import rgb2lab
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from colorgan import config
from colorgan.color import join, split
from colorgan.data.building import build_data
from colorgan.data.module import PhotographDataModule
from colorgan.data.source import ImageSource
from colorgan.imaging import images
from colorgan.systems import TABLES
from colorgan.systems.building import build

WARM_UP = 5  # batches that the printed speed leaves out


class Down(nn.Sequential):
    """Convolution that halves the size.

    Args:
        inputs: number of input channels.
        outputs: number of output channels.
        norm: normalize the output; False in the outermost and the innermost layer.
    """

    def __init__(self, inputs: int, outputs: int, norm: bool = True):
        layers = [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)]
        super().__init__(*layers, *([nn.BatchNorm2d(outputs)] if norm else []), nn.LeakyReLU(0.2))


class Generator(nn.Module):
    """U-Net of pix2pix, down to one pixel, that maps L in [-1, 1] to ab in [-1, 1].

    Args:
        size: side of the pictures in pixels, a power of 2 from 16 up.
    """

    def __init__(self, size: int):
        super().__init__()
        widths = [64, 128, 256] + [512] * (int(math.log2(size)) - 3)
        self.downs = nn.ModuleList()
        for i, (inputs, outputs) in enumerate(zip([1, *widths], widths, strict=False)):
            self.downs.append(Down(inputs, outputs, norm=0 < i < len(widths) - 1))
        self.ups = nn.ModuleList()
        inputs = widths[-1]
        for i, outputs in enumerate(reversed(widths[:-1])):
            layers = [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs)]
            self.ups.append(nn.Sequential(*layers, *([nn.Dropout(0.5)] if i < 2 else []), nn.ReLU()))
            inputs = 2 * outputs
        self.last = nn.Sequential(nn.ConvTranspose2d(inputs, 2, 4, 2, 1), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for down in self.downs:
            x = down(x)
            skips.append(x)
        skips.pop()
        for up in self.ups:
            x = torch.cat([up(x), skips.pop()], dim=1)
        return self.last(x)


def make_discriminator() -> nn.Module:
    """Make the PatchGAN of pix2pix, which maps L and ab (B, 3, H, W) to logits of patches."""
    layers = [nn.Conv2d(3, 64, 4, 2, 1), nn.LeakyReLU(0.2)]
    for inputs, outputs, stride in ((64, 128, 2), (128, 256, 2), (256, 512, 1)):
        layers += [nn.Conv2d(inputs, outputs, 4, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(512, 1, 4, 1, 1))


def initialize(module: nn.Module) -> None:
    """Draw weights from N(0, 0.02) for convolutions, and from N(1, 0.02) for normalizations."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


class OurGenerator(nn.Module):
    """The generator of one of our experiments, with the tutorials' scales of L and ab.

    Args:
        colorizer: maps L in [0, 100] to ab in Lab units.
    """

    def __init__(self, colorizer: nn.Module):
        super().__init__()
        self.colorizer = colorizer

    def forward(self, x: Tensor) -> Tensor:
        return self.colorizer(50 * (x + 1)) / 110


class OurDiscriminator(nn.Module):
    """The discriminator of one of our experiments, with the tutorials' scales of L and ab.

    Args:
        discriminator: maps what its `features` make of Lab to logits.
    """

    def __init__(self, discriminator: nn.Module):
        super().__init__()
        self.discriminator = discriminator

    def forward(self, x: Tensor) -> Tensor:
        return self.discriminator(self.discriminator.features(torch.cat([50 * (x[:, :1] + 1), 110 * x[:, 1:]], dim=1)))


def make_networks(experiment: str | None, size: int) -> tuple[nn.Module, nn.Module]:
    """Make generator and discriminator of the tutorials, or of one of our experiments."""
    if experiment is None:
        return Generator(size).apply(initialize), make_discriminator().apply(initialize)
    system = build(config.load(experiment, [f"data.size={size}", "pretrained=false"], TABLES), fresh=True)
    return OurGenerator(system.model), OurDiscriminator(system.discriminator)


class LabDataset(Dataset):
    """Pictures as the tutorials read them: L (1, S, S) and ab (2, S, S), both in [-1, 1], half of them mirrored.

    Args:
        source: names the files.
        size: S, the side of the squares in pixels.
    """

    def __init__(self, source: ImageSource, size: int):
        self.source = source
        self.size = size

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        with Image.open(self.source.name(index)) as image:
            picture = image.convert("RGB").resize((self.size, self.size), Image.Resampling.BICUBIC)
        if torch.rand(()) < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        lab = torch.from_numpy(rgb2lab(np.array(picture)).astype(np.float32)).permute(2, 0, 1)
        return lab[:1] / 50 - 1, lab[1:] / 110


def batches_of_workers(data: PhotographDataModule) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield L (B, 1, S, S) and ab (B, 2, S, S) in [-1, 1] without end, converted in the workers."""
    dataset, workers = LabDataset(data.source(train=True), data.data.size), data.data.workers
    batch = {"batch_size": data.data.batch_size, "shuffle": True, "drop_last": True}
    loader = DataLoader(dataset, **batch, num_workers=workers, persistent_workers=workers > 0)
    while True:
        yield from loader


def batches_of_colorgan(data: PhotographDataModule) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield L (B, 1, S, S) and ab (B, 2, S, S) in [-1, 1] without end, read and converted by colorgan."""
    data.setup("fit")
    seen = 0
    for epoch in count():
        loader = data.train_dataloader()
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            L, ab = split(data.augment(batch, torch.Generator().manual_seed(seen))["rgb"])
            yield L / 50 - 1, ab / 110
            seen += len(L)


def train(
    generator: nn.Module,
    discriminator: nn.Module,
    batches: Iterator[tuple[Tensor, Tensor]],
    seconds: float,
    pictures: float,
) -> tuple[int, float]:
    """Train until a time or a number of pictures is reached.

    Args:
        generator: maps L (B, 1, S, S) to ab (B, 2, S, S), both in [-1, 1].
        discriminator: maps L and ab (B, 3, S, S) to logits.
        batches: L and ab.
        seconds: time limit.
        pictures: maximum number of training pictures.

    Returns:
        the number of pictures, and their number per second after the first batches.
    """
    optimizers = [torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in (generator, discriminator)]
    bce = nn.BCEWithLogitsLoss()
    start, seen = time.monotonic(), 0
    warm, seen_warm = start, 0
    for i, (L, ab) in enumerate(batches):
        if i == WARM_UP:
            warm, seen_warm = time.monotonic(), seen
        fake = generator(L)
        discriminator.requires_grad_(True)
        optimizers[1].zero_grad()
        fake_logits = discriminator(torch.cat([L, fake.detach()], dim=1))
        real_logits = discriminator(torch.cat([L, ab], dim=1))
        zeros, ones = torch.zeros_like(fake_logits), torch.ones_like(real_logits)
        ((bce(fake_logits, zeros) + bce(real_logits, ones)) / 2).backward()
        optimizers[1].step()
        discriminator.requires_grad_(False)
        optimizers[0].zero_grad()
        fake_logits = discriminator(torch.cat([L, fake], dim=1))
        (bce(fake_logits, ones) + 100 * nn.functional.l1_loss(fake, ab)).backward()
        optimizers[0].step()
        seen += len(L)
        if seen >= pictures or time.monotonic() - start > seconds:
            break
    return seen, (seen - seen_warm) / (time.monotonic() - warm)


def save_colored(generator: nn.Module, data: PhotographDataModule, root: Path, out: Path) -> None:
    """Color all validation pictures, and save each as a PNG file of the same name.

    Args:
        generator: the trained generator.
        data: the data module.
        root: folder of the validation pictures.
        out: folder for the colored pictures.
    """
    generator.eval()
    source = data.source(train=False)
    for i in range(len(source)):
        rgb = torch.from_numpy(images.thumbnail(source.name(i), data.data.size, exact=True))[None].float() / 255
        L, _ = split(rgb)
        with torch.no_grad():
            colored = join(L, 110 * generator(L / 50 - 1))[0]
        target = (out / Path(source.name(i)).relative_to(root)).with_suffix(".png")
        images.write(target, colored.permute(1, 2, 0).numpy())


def main() -> None:
    """Train the baseline, and color the validation pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="photographs: train/ and val/")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float, default=math.inf, help="training time")
    budget.add_argument(
        "--pictures", type=float, default=math.inf, help="number of training pictures, no matter how long it takes"
    )
    parser.add_argument("--size", type=int, default=64, help="side of the pictures in px (%(default)s)")
    lab = "colorgan: as our experiments do; workers: Pillow and scikit-image in the workers, as the tutorials do"
    parser.add_argument("--lab", choices=["colorgan", "workers"], default="colorgan", help=lab)
    parser.add_argument("--networks", metavar="EXPERIMENT", help="train the networks of one of our experiments")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="new folder for the colored validation pictures")
    args = parser.parse_args()
    if args.out and args.out.exists():
        raise SystemExit(f"{args.out}: exists already; give another folder")
    torch.manual_seed(args.seed)
    given = {"name": "folder", "root": str(args.root), "size": args.size, "smallest_crop": 1.0}
    given |= {"batch_size": args.batch_size, "workers": args.workers}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "baseline.yaml"
        OmegaConf.save(OmegaConf.create({"data": given}), file)
        experiment = config.load(file, [f"seed={args.seed}"], TABLES)
    data = build_data(experiment)
    networks = make_networks(args.networks, args.size)
    batches = batches_of_workers(data) if args.lab == "workers" else batches_of_colorgan(data)
    start = time.monotonic()
    seen, speed = train(*networks, batches, 60 * args.minutes, args.pictures)
    minutes = (time.monotonic() - start) / 60
    speed = f"{speed:.2f} pictures/s after the first {WARM_UP} batches"
    print(f"{seen:,} pictures in {minutes:.1f} minutes, {speed}, nproc {os.cpu_count()}")
    if args.out:
        save_colored(networks[0], data, args.root / "val", args.out)
        print(f"colored pictures are in {args.out}")


if __name__ == "__main__":
    main()
