"""Reading files of checkpoints: data only, so that a hostile file cannot run code."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torch import Tensor

from colorgan import archives, config, remote
from colorgan.allocation import AllocationLimit, TooLarge
from colorgan.codecs import CODECS
from colorgan.codecs.base import Codec
from colorgan.errors import UserError
from colorgan.nets import NETS
from colorgan.nets.base import Net

AVERAGE = "ema.module."  # prefix of the averaged model in a state_dict
MODEL = "model."  # prefix of the trained model; a released checkpoint has no other
MOST_PX = 4096  # short side at which a checkpoint may ask to predict color
_SPARE = 1 << 28  # bytes for what is built beside the weights: tables of the codec, values on the way
TRAINING_KEYS = ("run_dir", "trainer", "checkpoint", "logger", "wandb", "discriminator")  # not needed for inference
# Keys of files of this machine, and what stands there in a file to hand on.
PATHS = {
    "data": {"root": None, "also": [], "cache_dir": None, "shard_dir": None},
    "net": {"weights": None},
    "codec": {"prior": None},
}


def read(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint of colorgan; its tensors are mapped from disk, and keys of 0.1 are renamed to today's.

    Args:
        path: of a file, or an address of `remote.SCHEMES`, whose file is fetched first.

    Raises:
        UserError: no such file, no checkpoint, one that would need code to load, or not one of ours.
    """
    path = remote.address(path) or path
    file = remote.fetch(path)
    if not file.is_file():
        raise UserError(f"{path}: no such checkpoint")
    try:
        content = _read_safetensors(file) if file.suffix == ".safetensors" else archives.read(file)
    except archives.Refused as error:
        raise UserError(f"{path}: refused: {error}") from None
    except Exception:  # the readers raise nearly anything on a file of arbitrary bytes
        raise UserError(f"{path}: not a checkpoint, or a broken one; use another epoch of the run") from None
    parts = [content.get(key) for key in ("experiment", "state_dict")] if isinstance(content, dict) else [None]
    if not all(isinstance(part, dict) for part in parts):
        raise UserError(f"{path}: not a checkpoint of colorgan: it holds no experiment")
    if not archives.is_plain(content["experiment"]):
        raise UserError(f"{path}: refused: its experiment is more than text and numbers, or far too long")
    if not all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content["state_dict"].items()):
        raise UserError(f"{path}: not a checkpoint of colorgan: its state_dict holds other things than weights")
    if "${" in str(content["experiment"]):  # OmegaConf would fill it in from the reader's environment
        raise UserError(f"{path}: its experiment asks for values of this machine; it was not written by colorgan")
    upgrade(content)
    return content


def _read_safetensors(path: Path) -> dict[str, Any]:
    """Read a file of `colorgan.export`: the weights of one model, and its experiment and metrics as JSON."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        described = {key: json.loads(metadata.get(key, "null")) for key in ("experiment", "metrics")}
        return {**described, "state_dict": {MODEL + key: file.get_tensor(key) for key in file.keys()}}


def is_whole(path: Path) -> bool:
    """Return whether a checkpoint can be read to its last byte, with the right checksums."""
    try:
        read(path)
    except UserError:
        return False
    return True


def upgrade(content: dict[str, Any]) -> None:
    """Rename the weights of a checkpoint of 0.1 in place.

    In 0.1 a system held `net` and `codec` beside each other, and averaged the net alone.
    """
    state, upgraded = content["state_dict"], {}
    if not any(key.startswith("net.") for key in state):
        return
    for key, value in state.items():
        if is_classifier(content):
            upgraded[MODEL + key.removeprefix("net.") if key.startswith("net.") else key] = value
        elif key.startswith(AVERAGE):
            upgraded[f"{AVERAGE}net.{key.removeprefix(AVERAGE)}"] = value
        elif key.startswith("codec."):
            upgraded[MODEL + key] = upgraded[AVERAGE + key] = value
        else:
            upgraded[MODEL + key if key.startswith("net.") else key] = value
    content["state_dict"] = upgraded


def is_classifier(content: dict[str, Any]) -> bool:
    """Whether a checkpoint is that of a scene classifier."""
    system = content["experiment"].get("system")
    return isinstance(system, dict) and system.get("name") == "classifier"


@contextmanager
def bounded(path: str | Path, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Build what the experiment of a checkpoint describes, in as much memory as its weights justify.

    Args:
        path: of the checkpoint.
        weights: that will be loaded.

    Raises:
        UserError: the experiment describes something far larger, or something that cannot be built.
    """
    try:
        with AllocationLimit(8 * sum(value.numel() for value in weights.values()) + _SPARE):
            yield
    except UserError as error:  # of a constructor, which knows no file
        raise UserError(str(error) if str(error).startswith(f"{path}: ") else f"{path}: {error}") from None
    except TooLarge:
        raise UserError(f"{path}: refused: its experiment describes a net far larger than its weights") from None
    except Exception as error:  # of a stranger's numbers, nearly any
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"{path}: its experiment cannot be built: {reason}") from None


def averaged_weights(content: dict[str, Any]) -> dict[str, Tensor]:
    """Return the state of the averaged model, or of the model itself where a checkpoint has no average."""
    state = content["state_dict"]
    prefix = AVERAGE if any(key.startswith(AVERAGE) for key in state) else MODEL
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def shareable(experiment: dict[str, Any]) -> dict[str, Any]:
    """Return what inference needs of an experiment, without the paths of this machine."""
    kept = {key: value for key, value in experiment.items() if key not in TRAINING_KEYS}
    for node, without in PATHS.items():
        if isinstance(kept.get(node), dict):  # it is a stranger's
            kept[node] = {key: without.get(key, value) for key, value in kept[node].items()}
    return {**kept, "system": "supervised"}


def metrics_of(content: dict[str, Any]) -> dict[str, float]:
    """Return what a checkpoint says of its validation, as "val/psnr": 23.1; nothing where it is of an older version."""
    found = content.get("metrics")
    if not isinstance(found, dict) or not archives.is_plain(found):
        return {}
    numbers = {key: value for key, value in found.items() if isinstance(key, str) and isinstance(value, int | float)}
    return {key: float(value) for key, value in numbers.items() if math.isfinite(value)}


def parts_of(content: dict[str, Any], path: str | Path) -> tuple[Net, Codec, int]:
    """Build the net and the codec of what `read` returned, without their weights; return them with the size in px.

    Raises:
        UserError: it is no colorizer, or one that this version cannot build.
    """
    if is_classifier(content):
        raise UserError(f"{path}: a scene classifier: it colors nothing, but is `net.weights` for nets with its body")
    given = content["experiment"]
    try:
        nodes = {key: given[key] for key in ("net", "codec")}
        size = int(given["data"]["size"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UserError(f"{path}: its experiment says nothing of net, codec or data.size") from None
    if not 1 <= size <= MOST_PX:
        raise UserError(f"{path}: data.size={size} in its experiment: from 1 to {MOST_PX} px")
    with bounded(path, averaged_weights(content)):
        experiment = config.resolve(nodes, [], {"net": NETS, "codec": CODECS}, origin=str(path))
        net, codec = build_parts(experiment, pretrained=False, weights=None)
    return net, codec, size


def build_parts(experiment: DictConfig, **start: Any) -> tuple[Net, Codec]:
    """Build the net and the codec of an experiment; see `checkpoint.build_colorizer`."""
    codec = config.construct(CODECS, experiment.codec)
    return config.construct(NETS, experiment.net, channels=codec.channels, **start), codec
