"""Write tables and pictures of docs/systems.md: the sizes of all systems, and the results of a comparison.

    python benchmarks/systems.py [--runs checkpoints/systems]

The runs are made with `colorgan.compare`, whose command is in docs/systems.md.
"""

import argparse
import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from torchvision.utils import make_grid, save_image

from colorgan import config, load
from colorgan.codecs import CODECS
from colorgan.color import join, split
from colorgan.data.photos import paths
from colorgan.imaging import images
from colorgan.nets import NETS
from colorgan.systems import TABLES

PAGE = Path("docs/systems.md")
FIGURES = Path("docs/systems")
SIDE = 96  # of the squares in the pictures, in pixels; color is predicted at the size of the training
SYSTEMS = (
    "gan-places365",
    "gan-places365-mse",
    "unet-regression",
    "cnn-regression",
    "cnn-classification",
    "zhang2016",
    "larsson2016",
    "iizuka2016",
    "vgg19-fusion",
    "koalarization",
)


def main() -> None:
    """Rewrite the tables of the page and its pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("checkpoints/systems"), help="--out of colorgan.compare")
    runs = parser.parse_args().runs
    FIGURES.mkdir(parents=True, exist_ok=True)
    rgb = torch.stack([torch.from_numpy(images.thumbnail(path, SIDE)) for path in paths()]).float() / 255
    gray = join(split(rgb)[0], torch.zeros_like(rgb[:, :2]))
    columns = {"gray": gray}
    for name in SYSTEMS:
        columns[name] = torch.stack(load(runs / name / "last.ckpt").paint(list(rgb)))
        save_image(make_grid(torch.cat([gray, columns[name], rgb]), nrow=len(rgb)), FIGURES / f"{name}.png")
    draw({**columns, "truth": rgb}, FIGURES / "all.png")
    page = PAGE.read_text(encoding="utf-8")
    page = insert(page, "results", (runs / "table.md").read_text(encoding="utf-8").strip())
    PAGE.write_text(insert(page, "sizes", sizes_table()), encoding="utf-8")


def sizes_table() -> str:
    """Return a Markdown table of parameters, and of multiplications and additions for one picture of 256 px."""
    lines = [
        "| experiment | paper | net | codec | system | parameters | trained | GFLOP |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for experiment in SYSTEMS:
        settings = config.load(f"experiments/{experiment}.yaml", ["pretrained=false", "data.size=256"], TABLES)
        codec = config.construct(CODECS, settings.codec)
        with torch.device("meta"):
            net = config.construct(NETS, settings.net, channels=codec.channels, pretrained=False).eval()
            L = torch.zeros(1, 1, 256, 256)
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            net(L)
        sizes = [sum(p.numel() for p in ps) for ps in (net.parameters(), filter(is_trained, net.parameters()))]
        names = " | ".join(f"`{settings[key].name}`" for key in ("net", "codec", "system"))
        figures = f"{sizes[0]:,} | {sizes[1]:,} | {counter.get_total_flops() / 1e9:.1f}"
        lines.append(f"| [`{experiment}`](../experiments/{experiment}.yaml) | {settings.paper} | {names} | {figures} |")
    return "\n".join(lines)


def is_trained(parameter: Tensor) -> bool:
    """Return whether a parameter is trained, not frozen."""
    return parameter.requires_grad


def insert(page: str, mark: str, text: str) -> str:
    """Return the page with `text` between <!-- mark --> and <!-- end mark -->."""
    pattern = rf"(<!-- {mark} -->\n).*?(<!-- end {mark} -->)"
    page, found = re.subn(pattern, lambda match: f"{match[1]}{text}\n{match[2]}", page, flags=re.DOTALL)
    if found != 1:
        raise SystemExit(f"{PAGE}: contains no <!-- {mark} --> ... <!-- end {mark} -->")
    return page


def draw(columns: dict[str, Tensor], path: Path) -> None:
    """Draw a figure with one column per system and one row per picture.

    Args:
        columns: title -> pictures (N, 3, H, W) in [0, 1].
        path: the image file to write.
    """
    rows = len(next(iter(columns.values())))
    figure, axes = plt.subplots(rows, len(columns), figsize=(1.1 * len(columns), 1.1 * rows + 0.7))
    for column, (name, pictures) in zip(axes.T, columns.items(), strict=True):
        column[0].set_title(name, fontsize=8, rotation=35, ha="left")
        for axis, picture in zip(column, pictures, strict=True):
            axis.imshow(picture.permute(1, 2, 0).clamp(0, 1).numpy(), interpolation="nearest")
            axis.set_axis_off()
    figure.subplots_adjust(left=0.01, right=0.97, bottom=0.01, top=0.87, wspace=0.03, hspace=0.03)
    figure.savefig(path, dpi=90)
    plt.close(figure)


if __name__ == "__main__":
    main()
