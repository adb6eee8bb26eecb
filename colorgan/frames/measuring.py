"""What carrying color along does to a video whose color is known: its error, and its flicker."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from colorgan.color import join, split
from colorgan.colorizer.colorizer import Colorizer, prediction_shape, resize_color
from colorgan.errors import UserError
from colorgan.frames.carrying import Carrier
from colorgan.frames.flicker import Flicker
from colorgan.frames.reading import open_video
from colorgan.metrics import ab_error, psnr

GRAY = 2.0  # Lab units of mean chroma, below which a video counts as gray
Report = Callable[[int, int | None], None]


@dataclass
class Row:
    """A version of a video, at the size at which color is predicted."""

    name: str
    ab_error: float | None  # Lab units; None: there is no truth
    psnr: float | None  # dB
    flicker: float  # Lab units


@torch.inference_mode()
def measure(model: Colorizer, path: Path, size: int | None, report: Report) -> dict[str, Any]:
    """Color the gray version of a color video, each frame alone and carried along, and compare both with the truth.

    Args:
        model: that predicts color.
        path: of the video. Of a gray one, only the flicker is measured.
        size: short side in pixels at which color is predicted, and compared; None: the model's own.
        report: called after each frame, with the number of those done and of all as far as it is known.

    Returns:
        `frames`, `cuts`, `height`, `width`, and `rows`, each the fields of a `Row`.

    Raises:
        UserError: the video cannot be read, or has fewer than two frames.
    """
    names = ["alone", "carried along", "truth"]
    flicker, carrier = Flicker(len(names)), Carrier()
    errors, psnrs, chroma = torch.zeros(len(names)), torch.zeros(len(names)), 0.0
    count = 0
    with open_video(path) as reader:
        for count, frame in enumerate(reader.frames(), start=1):
            rgb = _shrink(frame.picture, size or model.size)
            L, truth = split(rgb)
            [predicted] = model.predict_colors([L.to(next(model.parameters()).device)])
            carried = carrier.carry(L, predicted)
            versions = [resize_color(predicted.ab, L), resize_color(carried.ab, L), truth]
            flicker.update(L[0, 0].numpy(), [ab[0].permute(1, 2, 0).contiguous().numpy() for ab in versions])
            errors += torch.cat([ab_error(ab, truth) for ab in versions])
            psnrs += torch.cat([psnr(join(L, ab), rgb) for ab in versions])
            chroma += float(truth.norm(dim=1).mean())
            report(count, reader.length)
    if count < 2:
        raise UserError(f"{path}: flicker is between frames, and it has {count} that can be read")
    known = chroma >= GRAY * count
    rows = [
        Row(name, float(error) / count if known else None, float(ratio) / count if known else None, value)
        for name, error, ratio, value in zip(names, errors, psnrs, flicker.result(), strict=True)
    ]
    return {
        "frames": count,
        "cuts": carrier.cuts,
        "height": L.shape[-2],
        "width": L.shape[-1],
        "rows": [asdict(row) for row in rows[: 3 if known else 2]],
    }


def as_text(results: dict[str, Any]) -> str:
    """Return a table of the rows, and what carrying along does to each number."""
    lines = [f"{'':14}{'ab error':>10}{'PSNR':>8}{'flicker':>9}"]
    for row in results["rows"]:
        error, ratio = ("" if value is None else f"{value:.2f}" for value in (row["ab_error"], row["psnr"]))
        ratio = "" if row["name"] == "truth" else ratio
        lines.append(f"{row['name']:14}{error:>10}{ratio:>8}{row['flicker']:>9.3f}")
    alone, carried = results["rows"][:2]
    lines.append(f"carried along flickers {carried['flicker'] / alone['flicker']:.2f} times as much as alone")
    return "\n".join(lines)


def _shrink(picture: Tensor, size: int) -> Tensor:
    """Return a picture (3, H, W) as (1, 3, h, w) in [0, 1] at the size at which its color is predicted."""
    rgb = picture[None].float() / (1 if picture.is_floating_point() else 255)
    shape = prediction_shape(picture.shape[-2:], size)
    return F.interpolate(rgb, shape, mode="bilinear", antialias=True).clamp(0, 1)
