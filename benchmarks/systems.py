"""Trains every system for the same time on the same photographs, and writes the figures of docs/systems.md.

    python benchmarks/systems.py --root FOLDER [--minutes 10] [--runs checkpoints/systems]

FOLDER holds train/ and val/ with a folder for each class. Runs that are complete are not run again, so that a stopped
comparison goes on where it stood.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from torchvision.utils import make_grid, save_image

from colorgan import checkpoint, config, images
from colorgan.callbacks import read_rows
from colorgan.codecs import CODECS
from colorgan.color import join, split
from colorgan.data.photos import paths
from colorgan.nets import NETS
from colorgan.systems import TABLES, Colorizer, build_data, load

PAGE = Path("docs/systems.md")
FIGURES = Path("docs/systems")
SIDE = 96  # pixels of the squares in the pictures; color is predicted at the size of the training
COMMON = (
    "data.name=folder data.size=64 data.batch_size=16 data.cache=ram data.workers=2 pretrained=false "
    "trainer.max_epochs=1000 wandb.mode=disabled checkpoint.keep=1"
).split()
BODIES = {  # run: what differs from experiments/resnet18-classifier.yaml
    "classifier-resnet18": ["system.body=resnet18", "optim.lr=1e-3"],
    "classifier-vgg16": ["system.body=vgg16", "optim.lr=1e-4", "data.batch_size=64"],
    "classifier-vgg19": ["system.body=vgg19", "optim.lr=1e-4", "data.batch_size=64"],
}
SYSTEMS = {  # run: (experiment, what differs from it, the body's run)
    "gan": ("gan-places365", [], None),
    "gan-mse": ("gan-places365-mse", [], None),
    "unet-regression": ("unet-regression", [], None),
    "cnn-regression": ("cnn-regression", [], "classifier-resnet18"),
    "cnn-classification": ("cnn-classification", [], "classifier-resnet18"),
    "zhang2016": ("zhang2016", ["optim.lr=3e-4"], None),
    "larsson2016": ("larsson2016", ["optim.optimizer=adam", "optim.lr=1e-4"], "classifier-vgg16"),
    "iizuka2016": ("iizuka2016", ["net.global_size=64"], None),
    "vgg19-fusion": ("vgg19-fusion", [], "classifier-vgg19"),
    "koalarization": (
        "koalarization",
        ["net.body=resnet18", "net.embedding=features", "net.body_size=64"],
        "classifier-resnet18",
    ),
}


def main() -> None:
    """Trains what is not trained yet, judges all, and writes tables and pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="photographs: train/CLASS/ and val/CLASS/")
    parser.add_argument("--minutes", type=int, default=10, help="of training for each (%(default)s)")
    parser.add_argument("--runs", type=Path, default=Path("checkpoints/systems"), help="where runs go (%(default)s)")
    parser.add_argument("--only", nargs="*", choices=[*BODIES, *SYSTEMS], help="train these and stop")
    args = parser.parse_args()
    for name in args.only or [*BODIES, *SYSTEMS]:
        train(name, args)
    if not args.only:
        report(args.runs)


def train(name: str, args: argparse.Namespace) -> None:
    """One run, from its last checkpoint if there is one."""
    experiment, changes, body = SYSTEMS.get(name, ("resnet18-classifier", BODIES.get(name), None))
    weights = [f"net.weights={args.runs / body / 'best.ckpt'}"] if body else []
    time = f"trainer.max_time=00:{args.minutes // 60:02d}:{args.minutes % 60:02d}:00"
    command = [sys.executable, "-m", "colorgan.train", f"experiments/{experiment}.yaml", "--resume"]
    command += [*COMMON, f"data.root={args.root}", f"run_dir={args.runs / name}", time, *changes, *weights]
    print(" ".join(command[1:]), flush=True)
    subprocess.run(command, check=True)


def report(runs: Path) -> None:
    """Judges the last checkpoint of each system; rewrites the tables of the page and its pictures."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    rgb = torch.stack([torch.from_numpy(images.thumbnail(path, SIDE)) for path in paths()]).float() / 255
    gray = join(split(rgb)[0], torch.zeros_like(rgb[:, :2]))
    rows, columns = [], {"gray": gray}
    for name in SYSTEMS:
        path = runs / name / "last.ckpt"
        model = load(path)
        data = build_data(model.experiment)
        data.setup("validate")
        columns[name] = torch.stack(model.paint(list(rgb)))
        save_image(make_grid(torch.cat([gray, columns[name], rgb]), nrow=len(rgb)), FIGURES / f"{name}.png")
        rows.append((name, judge(model, data), pictures_seen(path)))
        print(rows[-1], flush=True)
    draw({**columns, "truth": rgb}, FIGURES / "all.png")
    page = PAGE.read_text(encoding="utf-8")
    page = insert(page, "results", f"{results_table(rows)}\n\n{bodies_line(runs)}")
    PAGE.write_text(insert(page, "sizes", sizes_table()), encoding="utf-8")


def judge(model: Colorizer, data: pl.LightningDataModule) -> dict[str, float]:
    """Lightning's validation of the averaged net over the whole validation set."""
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    return trainer.validate(model, datamodule=data, verbose=False)[0]


def pictures_seen(path: Path) -> int:
    """How many pictures a run was trained on, repeats included."""
    content = checkpoint.read(path)
    batches = content["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]["completed"]
    return batches * content["experiment"]["data"]["batch_size"]


def results_table(rows: list[tuple[str, dict[str, float], int]]) -> str:
    """Markdown; plain gray and the truth frame the systems."""
    first = rows[0][1]
    lines = [
        f"nproc {os.cpu_count()}, torch {torch.__version__}",
        "",
        "| run | beside the file's settings | pictures seen | PSNR (dB) | mean ab error (Lab units) | colorfulness |",
        "|---|---|---|---|---|---|",
        f"| plain gray | | | {first['val/gray_psnr']:.2f} | {first['val/gray_ab_error']:.2f} | 0.0 |",
    ]
    for name, values, seen in rows:
        shown = f"{values['val/psnr']:.2f} | {values['val/ab_error']:.2f} | {values['val/colorfulness']:.1f}"
        experiment, changes, body = SYSTEMS[name]
        weights = [f"`net.weights`: {body}"] if body else []
        settings = ", ".join([f"`{change}`" for change in changes] + weights)
        lines.append(f"| [`{name}`](../experiments/{experiment}.yaml) | {settings} | {seen:,} | {shown} |")
    return "\n".join([*lines, f"| the truth | | | | 0.00 | {first['val/true_colorfulness']:.1f} |"])


def bodies_line(runs: Path) -> str:
    """How well the bodies know gray scenes."""
    best = {name: max(float(row["val/top1"]) for row in read_rows(runs / name / "metrics.csv")) for name in BODIES}
    known = ", ".join(f"{name} {top1:.1f}%" for name, top1 in best.items())
    return f"The bodies' top-1 on the validation pictures, from gray, six classes: {known}."


def sizes_table() -> str:
    """Markdown: parameters, and multiplications and additions of one picture of 256 px."""
    lines = [
        "| experiment | paper | net | codec | system | parameters | trained | GFLOP |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for experiment, *_ in SYSTEMS.values():
        settings = config.load(f"experiments/{experiment}.yaml", ["pretrained=false", "data.size=256"], TABLES)
        codec = config.construct(CODECS, settings.codec)
        with torch.device("meta"):
            net = config.construct(NETS, settings.net, channels=codec.channels, pretrained=False).eval()
            L = torch.zeros(1, 1, 256, 256)
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            net(L)
        sizes = [sum(p.numel() for p in ps) for ps in (net.parameters(), filter(trained, net.parameters()))]
        names = " | ".join(f"`{settings[key].name}`" for key in ("net", "codec", "system"))
        figures = f"{sizes[0]:,} | {sizes[1]:,} | {counter.get_total_flops() / 1e9:.1f}"
        lines.append(f"| [`{experiment}`](../experiments/{experiment}.yaml) | {settings.paper} | {names} | {figures} |")
    return "\n".join(lines)


def trained(parameter: Tensor) -> bool:
    """Whether it is not frozen."""
    return parameter.requires_grad


def insert(page: str, mark: str, text: str) -> str:
    """The page with `text` between <!-- mark --> and <!-- end mark -->."""
    pattern = rf"(<!-- {mark} -->\n).*?(<!-- end {mark} -->)"
    page, found = re.subn(pattern, lambda match: f"{match[1]}{text}\n{match[2]}", page, flags=re.DOTALL)
    if found != 1:
        raise SystemExit(f"{PAGE}: holds no <!-- {mark} --> ... <!-- end {mark} -->")
    return page


def draw(columns: dict[str, Tensor], path: Path) -> None:
    """One column a system, one row a picture."""
    rows = len(next(iter(columns.values())))
    figure, axes = plt.subplots(rows, len(columns), figsize=(1.1 * len(columns), 1.1 * rows + 0.7))
    for column, (name, pictures) in zip(axes.T, columns.items(), strict=True):
        column[0].set_title(name, fontsize=8, rotation=35, ha="left")
        for axis, picture in zip(column, pictures, strict=True):
            axis.imshow(picture.permute(1, 2, 0).clamp(0, 1).numpy(), interpolation="nearest")
            axis.set_axis_off()
    figure.subplots_adjust(left=0.01, right=0.97, bottom=0.01, top=0.87, wspace=0.03, hspace=0.03)
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
