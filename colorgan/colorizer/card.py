"""What the file of a colorizer says of itself, and its card on the Hugging Face hub."""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from huggingface_hub import ModelCard

NOT_STATED = "not stated"
UNKNOWN = "unknown"  # the hub's word for a license that is not stated
LIBRARY, PIPELINE, TAGS = "colorgan", "image-to-image", ["colorization", "image-colorization"]
NAMES = {"psnr": "PSNR (dB)", "ssim": "SSIM", "ab_error": "ab error (Lab units)"}  # of metrics of validation


def describe(
    size: int,
    experiment: dict[str, Any],
    metrics: dict[str, float],
    version: str,
    license: str | None,
    card: str | None,
) -> dict[str, str]:
    """Return what a file says of its colorizer: strings, for the metadata of each format.

    Args:
        size: short side in px at which color is predicted.
        experiment: as `reading.shareable` returns it.
        metrics: as `reading.metrics_of` returns them.
        version: of colorgan.
        license: of the weights.
        card: text about the model; default: how it is used, and what its experiment says of itself.

    Returns:
        "colorgan", the version; "size" in px; "net"; "codec", "experiment" and "metrics" as JSON; "license"; "card".
    """
    return {
        "colorgan": version,
        "size": str(size),
        "net": str(experiment["net"]["name"]),
        "codec": json.dumps(experiment["codec"]),
        "experiment": json.dumps(experiment),
        "metrics": json.dumps(metrics),
        "license": license or NOT_STATED,
        "card": card or text(size, experiment),
    }


def text(size: int, experiment: dict[str, Any]) -> str:
    """Return a text for who finds the file without its program."""
    deviations = experiment.get("deviations") or []
    lines = [
        f"# {_name(experiment)}",
        "",
        "A model that colors gray photographs, exported by colorgan.",
        "",
        f"- Input: L of CIE Lab (D65), float32 (B, 1, H, W) in [0, 100]. Predict at a short side of about {size} px.",
        "- Output: ab of CIE Lab, float32 (B, 2, h, w); resize it to the photograph and join it with its own L.",
        f"- Trained on data.name={experiment['data'].get('name')}.",
        f"- Paper: {experiment.get('paper') or 'none stated'}.",
        *(["", "How it departs from the paper:", ""] if deviations else []),
        *(f"- {line}" for line in deviations),
    ]
    return "\n".join(lines)


def model_card(
    size: int, experiment: dict[str, Any], metrics: dict[str, float], repo: str, license: str | None
) -> "ModelCard":
    """Return the card of a model on the hub: a header that the hub reads, and a text.

    Args:
        size: as in `describe`.
        experiment: as in `describe`.
        metrics: as in `describe`.
        repo: "owner/name", under which it is loaded.
        license: of the weights, by the hub's identifiers such as "cc-by-4.0".
    """
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    held_out = f"{experiment['data'].get('name')}, held out, {size} px"
    results = [
        EvalResult(
            task_type=PIPELINE,
            dataset_type=str(experiment["data"].get("name")),
            dataset_name=held_out,
            metric_type=key.removeprefix("val/"),
            metric_name=_title(key),
            metric_value=value,
        )
        for key, value in metrics.items()
    ]
    header = ModelCardData(
        library_name=LIBRARY,
        license=license or UNKNOWN,
        pipeline_tag=PIPELINE,
        tags=[*TAGS, str(experiment["net"]["name"]), str(experiment["codec"]["name"])],
        model_name=_name(experiment) if results else None,
        eval_results=results or None,
    )
    table = [f"Validation on {held_out}:", "", "| metric | value |", "|---|---|"]
    table += [f"| {_title(key)} | {value:.4g} |" for key, value in metrics.items()]
    python = f'from colorgan import load\n\nmodel = load("hf://{repo}")\ncolored = model.colorize(image)  # of PIL'
    body = [
        text(size, experiment),
        *(["\n".join(table)] if metrics else []),
        f"```python\n{python}\n```",
        f"```sh\ncolorgan sample --ckpt hf://{repo} old.jpg\n```",
    ]
    return ModelCard(f"---\n{header.to_yaml()}\n---\n\n" + "\n\n".join(body) + "\n")


def _name(experiment: dict[str, Any]) -> str:
    return str(experiment.get("name") or experiment["net"]["name"])


def _title(key: str) -> str:
    name = key.removeprefix("val/")
    return NAMES.get(name, name.replace("_", " "))
