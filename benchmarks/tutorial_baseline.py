"""Train the colorization GAN of the tutorials as a baseline, for the same time on the same data.

    python benchmarks/tutorial_baseline.py --root FOLDER --minutes 10 --out FOLDER

A U-Net of 64 channels and a PatchGAN of 64 with weights N(0, 0.02); binary cross entropy + 100 x L1; Adam at 2e-4 with
betas 0.5 and 0.999; batches of 16 in float32; three passes of the discriminator per step; no averaging, no crops. Only
data loading and color conversion are those of colorgan. The colored validation pictures are written for
`colorgan.evaluate --pred`.
"""

import argparse
import math
import os
import time
from itertools import count
from pathlib import Path

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from colorgan import config
from colorgan.color import join, split
from colorgan.data.building import build_data
from colorgan.data.module import PhotographDataModule
from colorgan.imaging import images
from colorgan.systems import TABLES

SIZE, BATCH = 64, 16


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
    """U-Net of pix2pix, down to one pixel, that maps L in [-1, 1] to ab in [-1, 1]."""

    def __init__(self):
        super().__init__()
        widths = [64, 128, 256, 512, 512, 512]
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


def train(data: PhotographDataModule, seconds: float, pictures: float) -> tuple[Generator, int]:
    """Train until a time or a number of pictures is reached.

    Args:
        data: data module, set up for training.
        seconds: time limit.
        pictures: maximum number of training pictures.

    Returns:
        the generator, and the number of pictures that it was trained on.
    """
    generator, discriminator = Generator().apply(initialize), make_discriminator().apply(initialize)
    optimizers = [torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in (generator, discriminator)]
    bce = nn.BCEWithLogitsLoss()
    start, seen = time.monotonic(), 0
    for epoch in count():
        loader = data.train_dataloader()
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            rgb = data.augment(batch, torch.Generator().manual_seed(seen))["rgb"]
            L, ab = split(rgb)
            L, ab = L / 50 - 1, ab / 110
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
            seen += len(rgb)
            if seen >= pictures or time.monotonic() - start > seconds:
                return generator, seen
    raise AssertionError


def save_colored(generator: Generator, data: PhotographDataModule, root: Path, out: Path) -> None:
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
        rgb = torch.from_numpy(images.thumbnail(source.name(i), SIZE, exact=True))[None].float() / 255
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
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="new folder for the colored pictures")
    args = parser.parse_args()
    if args.out.exists():
        raise SystemExit(f"{args.out}: exists already; give another folder")
    torch.manual_seed(args.seed)
    node = {"data": {"name": "folder", "root": str(args.root), "size": SIZE, "batch_size": BATCH, "smallest_crop": 1.0}}
    file = args.out.with_name(f"{args.out.name}.yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(OmegaConf.create(node), file)
    experiment = config.load(file, [f"seed={args.seed}"], TABLES)
    data = build_data(experiment)
    data.setup("fit")
    start = time.monotonic()
    generator, seen = train(data, 60 * args.minutes, args.pictures)
    minutes = (time.monotonic() - start) / 60
    save_colored(generator, data, args.root / "val", args.out)
    print(f"{seen:,} pictures in {minutes:.1f} minutes, nproc {os.cpu_count()}; colored pictures are in {args.out}")


if __name__ == "__main__":
    main()
