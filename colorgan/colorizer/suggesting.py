"""Where a color hint would help most."""

import torch
import torch.nn.functional as F
from torch import Tensor

from colorgan.color import join
from colorgan.colorizer.colorizer import Colorizer, Conditions
from colorgan.colorizer.hints import RADIUS, Hint, rasterize
from colorgan.hints import paint_hints

GRID = 12  # places along the short side that may be suggested
PROBES = 32  # of these are tried: those with the largest expected error around them
SIDE = 5  # in pixels of the small picture, of a hint that is tried


@torch.inference_mode()
def suggest(model: Colorizer, picture: Tensor, hints: list[Hint]) -> Hint:
    """Suggest the place whose color would settle most, beside the hints that are given.

    A net that was trained with hints expects a smaller error around one. So each place is tried with a hint of the
    color that is predicted there, and that place is chosen after which the expected error of the picture is smallest.

    Args:
        model: with a `HintedNet`, and a codec that knows its uncertainty.
        picture: as `Colorizer.paint` takes it; only its lightness is used.
        hints: that are known.

    Returns:
        a hint with the color that is predicted there, which a person then corrects.

    Raises:
        UserError: the model takes no hints, or does not know how sure it is; a hint is outside of the picture.
    """
    model.require_hints()
    shape = picture.shape[-2:]
    L = model.shrink(picture)
    known = rasterize(hints, shape, L.shape[-2:]).to(L.device)
    out = model.run_net(Conditions(L, hints=known))
    ab = F.interpolate(model.predict(Conditions(L), out), L.shape[-2:], mode="bilinear")
    places = _uncertain_places(F.interpolate(model.codec.uncertainty(out), L.shape[-2:], mode="bilinear"), known)
    rows, columns = places.unbind(1)
    begin = torch.stack([rows, columns], dim=1) - SIDE // 2
    boxes = torch.cat([begin, begin + SIDE], dim=1)[:, None]
    tried = paint_hints(boxes, ab[0, :, rows, columns].T[:, None], torch.ones_like(boxes[..., 0]).bool(), L.shape[-2:])
    tried = torch.where(known[:, 2:] > 0, known, tried)
    left = model.codec.uncertainty(model.run_net(Conditions(L.expand(len(tried), -1, -1, -1), hints=tried)))
    best = int(left.mean(dim=(1, 2, 3)).argmin())
    row, column = places[best].tolist()
    color = join(L[..., row : row + 1, column : column + 1], ab[..., row : row + 1, column : column + 1])
    red, green, blue = (255 * color).round().int().flatten().tolist()
    y, x = ((place + 0.5) * full / side for place, full, side in zip((row, column), shape, L.shape[-2:], strict=True))
    return Hint(int(x), int(y), (red, green, blue), max(RADIUS, min(shape) // 100))


def _uncertain_places(uncertainty: Tensor, known: Tensor) -> Tensor:
    """Return rows and columns (N, 2) of the places of a grid with the largest uncertainty (1, 1, h, w) around them."""
    spacing = max(1, min(uncertainty.shape[-2:]) // GRID)
    around = F.avg_pool2d(uncertainty, spacing, ceil_mode=True)
    hinted = F.max_pool2d(known[:, 2:], spacing, ceil_mode=True) > 0
    order = torch.where(hinted, -1.0, around).flatten().argsort(descending=True)[:PROBES]
    cells = torch.stack([order // around.shape[-1], order % around.shape[-1]], dim=1)
    limit = torch.tensor(uncertainty.shape[-2:], device=cells.device) - 1
    return torch.minimum(cells * spacing + spacing // 2, limit)
