"""What an exported file says of itself: strings, for the metadata of each format."""

from typing import Any

from colorgan.colorizer import card as cards
from colorgan.colorizer.colorizer import Colorizer
from colorgan.exporting.graph import smallest_side


def describe(
    colorizer: Colorizer, experiment: dict[str, Any], version: str, license: str | None, card: str | None
) -> dict[str, str]:
    """Describe an exported colorizer.

    Args:
        colorizer: that is exported.
        experiment: as `checkpoint.shareable` returns it.
        version: of colorgan.
        license: of the weights.
        card: text about the model; default: how it is used, and what its experiment says of itself.

    Returns:
        what `card.describe` returns; "smallest_side", in px, of what an exported graph takes.
    """
    described = cards.describe(colorizer.size, experiment, colorizer.metrics or {}, version, license, card)
    return described | {"smallest_side": str(smallest_side(colorizer))}
