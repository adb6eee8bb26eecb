"""Color hints of a person: which color a place of a photograph has."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from colorgan.color import split
from colorgan.errors import UserError
from colorgan.hints import paint_hints

RADIUS = 4  # in pixels of the photograph, of a hint that names none


@dataclass(frozen=True)
class Hint:
    """The color of a square of a photograph, whose side is 2 * radius + 1.

    Args:
        x: column of its center, in pixels of the upright photograph, from 0 at the left.
        y: row of its center, from 0 at the top.
        color: R, G and B, 0 to 255. Only its a and b in Lab are used, for the photograph keeps its lightness.
        radius: in pixels, 0 or above.
    """

    x: float
    y: float
    color: tuple[int, int, int]
    radius: float = RADIUS


def rasterize(hints: Sequence[Hint], shape: tuple[int, int], small: tuple[int, int]) -> Tensor:
    """Paint the hints of a photograph at the size at which its color is predicted.

    Args:
        hints: of the photograph.
        shape: height and width of the photograph.
        small: height and width at which color is predicted. A hint covers at least one pixel of it.

    Returns:
        hints (1, 3, h, w), see `HintedNet`.

    Raises:
        UserError: a hint is outside of the photograph.
    """
    boxes = [_box(hint, shape, small) for hint in hints]
    if not boxes:
        return torch.zeros(1, 3, *small)
    rgb = torch.tensor([hint.color for hint in hints], dtype=torch.float32) / 255
    _, ab = split(rgb.T[None, :, None])  # (1, 2, 1, N)
    return paint_hints(torch.tensor([boxes]), ab[:, :, 0].mT, torch.ones(1, len(boxes), dtype=torch.bool), small)


def read_hints(path: Path, files: Sequence[Path]) -> dict[Path, list[Hint]]:
    """Read the hints of photographs from a JSON file.

    Args:
        path: of the file: a list of hints as `{"x": 120, "y": 80, "color": "#c08060", "radius": 4}` for one
            photograph; or an object with such a list for each photograph, under its path or its file name.
        files: the photographs.

    Returns:
        The hints of each photograph that has any.

    Raises:
        UserError: the file cannot be read, or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a readable JSON file ({error})") from None
    if isinstance(content, list):
        if len(files) != 1:
            raise UserError(f'{path}: name the photograph of each list of hints, as in {{"photo.jpg": [...]}}')
        content = {str(files[0]): content}
    if not isinstance(content, dict) or not all(isinstance(entries, list) for entries in content.values()):
        raise UserError(f'{path}: write a list of hints for each photograph, as in {{"photo.jpg": [...]}}')
    found: dict[Path, list[Hint]] = {}
    for name, entries in content.items():
        matches = [file for file in files if file == Path(name)] or [file for file in files if file.name == name]
        if len(matches) != 1:
            raise UserError(
                f"{path}: '{name}' is {'no' if not matches else 'more than one'} photograph of this command"
            )
        if matches[0] in found:
            raise UserError(f"{path}: '{name}': a second list of hints for {matches[0]}; put all of its hints into one")
        found[matches[0]] = [_parse(entry, f"{path}: {name}: hint {i + 1}") for i, entry in enumerate(entries)]
    return found


def as_entry(hint: Hint) -> dict[str, Any]:
    """Return a hint as an entry of the file that `read_hints` reads."""
    return {"x": hint.x, "y": hint.y, "color": "#{:02x}{:02x}{:02x}".format(*hint.color), "radius": hint.radius}


def _parse(entry: Any, where: str) -> Hint:
    if not isinstance(entry, dict) or not {"x", "y", "color"} <= entry.keys() <= {"x", "y", "color", "radius"}:
        raise UserError(f'{where}: write {{"x": 120, "y": 80, "color": "#c08060"}}, and "radius" if it is not {RADIUS}')
    numbers = {key: value for key, value in entry.items() if key != "color"}
    for key, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise UserError(f"{where}: {key}: {value!r} is no number of pixels, 0 or above")
    digits = re.fullmatch(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})", str(entry["color"]))
    if not digits:
        raise UserError(f"{where}: color: {entry['color']!r} is not written as #rrggbb, as in #c08060")
    red, green, blue = (int(text, 16) for text in digits.groups())
    return Hint(color=(red, green, blue), **numbers)


def _box(hint: Hint, shape: tuple[int, int], small: tuple[int, int]) -> list[int]:
    """Return the first row and column of a hint at the small size, and those after the last."""
    begin, end = [], []
    for center, full, side in zip((hint.y, hint.x), shape, small, strict=True):
        if not 0 <= center < full:
            raise UserError(f"a hint at x={hint.x:g}, y={hint.y:g} is outside of the picture of {shape[1]}x{shape[0]}")
        low, high = ((center + offset) * side / full for offset in (-hint.radius, hint.radius + 1))
        begin.append(min(max(0, round(low)), side - 1))
        end.append(min(max(round(high), begin[-1] + 1), side))
    return [*begin, *end]
