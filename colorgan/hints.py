"""Color hints: the colors of some pixels, which a `HintedNet` takes beside lightness."""

import math

import torch
from torch import Tensor

from colorgan.precision import full_precision
from colorgan.transfer import to_device

MEAN_COUNT = 8  # of the hints of a picture in training; their number is geometric, as in the paper
MAX_COUNT = 64
MAX_SIDE = 9  # in pixels, of a hint in training


def draw_hints(ab: Tensor, share: float) -> Tensor:
    """Draw hints of the true color, as Zhang et al. 2017 do ("Real-time user-guided colorization", section 3).

    The number of hints of a picture is geometric with a mean of 8, and their places are normal around the center of the
    picture with a deviation of a quarter of its sides. A hint is a square of 1 to 9 pixels with its mean color. The
    random numbers are those of the CPU's default generator.

    Args:
        ab: (B, 2, H, W) in Lab units, the true color.
        share: of the pictures that get hints, in [0, 1].

    Returns:
        hints (B, 3, H, W), see `HintedNet`.
    """
    sides = torch.tensor(ab.shape[-2:])
    hinted = torch.rand(len(ab)) < share
    counts = (1 + torch.rand(len(ab)).clamp(min=1e-6).log() / math.log(1 - 1 / MEAN_COUNT)).long().clamp(max=MAX_COUNT)
    present = hinted[:, None] & (torch.arange(int(counts.max())) < counts[:, None])
    centers = (sides / 2 + torch.randn(*present.shape, 2) * sides / 4).long()
    size = torch.randint(1, MAX_SIDE + 1, (*present.shape, 1))
    begin = (centers - size // 2).clamp(min=torch.zeros(2), max=sides - 1).long()
    boxes = torch.cat([begin, torch.minimum(begin + size, sides)], dim=2)
    boxes, present = to_device(boxes, ab.device), to_device(present, ab.device)
    return paint_hints(boxes, mean_colors(ab, boxes), present, ab.shape[-2:])


def mean_colors(ab: Tensor, boxes: Tensor) -> Tensor:
    """Return the mean colors (B, N, 2) in boxes of pictures.

    Args:
        ab: (B, 2, H, W) in Lab units.
        boxes: (B, N, 4), integers: the first row and column, and those after the last.
    """
    rows, columns = _inside(boxes, ab.shape[-2:])
    with torch.autocast(ab.device.type, enabled=False), full_precision():
        sums = ((rows[:, None] @ ab.float()) * columns[:, None]).sum(dim=-1)
    return (sums / (rows.sum(-1) * columns.sum(-1))[:, None]).mT


def paint_hints(boxes: Tensor, colors: Tensor, present: Tensor, shape: torch.Size) -> Tensor:
    """Paint hints into pictures.

    Args:
        boxes: (B, N, 4), see `mean_colors`.
        colors: (B, N, 2), ab in Lab units.
        present: bool (B, N), which of them to paint, for pictures with different numbers of hints.
        shape: H and W of the pictures.

    Returns:
        hints (B, 3, H, W), see `HintedNet`; the mean of their colors where several overlap.
    """
    rows, columns = _inside(boxes, shape)
    columns = columns * present[..., None]
    values = torch.cat([colors.mT[..., None] * columns[:, None], columns[:, None]], dim=1)  # (B, 3, N, W)
    with torch.autocast(boxes.device.type, enabled=False), full_precision():
        sums = rows.mT[:, None] @ values
    count = sums[:, 2:]
    return torch.cat([sums[:, :2] / count.clamp(min=1), (count > 0).float()], dim=1)


def _inside(boxes: Tensor, shape: torch.Size) -> tuple[Tensor, Tensor]:
    """Return 1 for each row (B, N, H) and column (B, N, W) that is inside of its box, and 0 for the others."""
    rows, columns = (torch.arange(side, device=boxes.device) for side in shape)
    top, left, bottom, right = boxes[..., None].unbind(2)
    return ((rows >= top) & (rows < bottom)).float(), ((columns >= left) & (columns < right)).float()
