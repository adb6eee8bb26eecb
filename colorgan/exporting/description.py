"""What an exported file says of itself: strings, for the metadata of each format."""

import json
from typing import Any

from colorgan.colorizer.colorizer import Colorizer
from colorgan.exporting.graph import smallest_side

NOT_STATED = "not stated"


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
        "colorgan", the version; "size", the short side in px at which color is predicted; "smallest_side", in px, of
        what an exported graph takes; "net"; "codec" and "experiment" as JSON; "license"; "card".
    """
    return {
        "colorgan": version,
        "size": str(colorizer.size),
        "smallest_side": str(smallest_side(colorizer)),
        "net": str(experiment["net"]["name"]),
        "codec": json.dumps(experiment["codec"]),
        "experiment": json.dumps(experiment),
        "license": license or NOT_STATED,
        "card": card or _card(colorizer.size, experiment),
    }


def _card(size: int, experiment: dict[str, Any]) -> str:
    """Return a text for who finds the file without its program."""
    lines = [
        f"# {experiment.get('name') or experiment['net']['name']}",
        "A model that colors gray photographs, exported by colorgan.",
        f"Input: L of CIE Lab (D65), float32 (B, 1, H, W) in [0, 100]. Predict at a short side of about {size} px.",
        "Output: ab of CIE Lab, float32 (B, 2, h, w); resize it to the photograph and join it with its own L.",
        f"Trained on data.name={experiment['data'].get('name')}.",
        f"Paper: {experiment.get('paper') or 'none stated'}.",
        *(f"- {line}" for line in experiment.get("deviations") or ()),
    ]
    return "\n".join(lines)
