"""Reading checkpoints: data only, so that a hostile file cannot run code."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from colorgan import archives, config, remote
from colorgan.allocation import AllocationLimit, TooLarge
from colorgan.codecs import CODECS
from colorgan.colorizer.colorizer import Colorizer
from colorgan.errors import UserError
from colorgan.nets import NETS
from colorgan.packaged import released

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
        path: of the file, or one of the addresses of `remote`.

    Raises:
        UserError: no such file, no checkpoint, one that would need code to load, or not one of ours.
    """
    path = remote.local(path)
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    try:
        content = _read_safetensors(path) if path.suffix == ".safetensors" else archives.read(path)
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
    """Read a file of `colorgan.export`: the weights of one model, and its experiment as JSON in the metadata."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        experiment = json.loads((file.metadata() or {}).get("experiment", "null"))
        return {"experiment": experiment, "state_dict": {MODEL + key: file.get_tensor(key) for key in file.keys()}}


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


def load(path: str | Path | None = None, device: str | torch.device = "cpu") -> Colorizer:
    """Load a trained colorizer.

    Args:
        path: a checkpoint, or an address as `wandb://entity/project/run:best`; it carries its experiment, so nothing
            else is needed. Default: the released generator.
        device: where it colors, as in "cuda".

    Returns:
        the averaged model, in evaluation mode.

    Raises:
        UserError: no such checkpoint, one of another program, or one that this version cannot build.
    """
    path = path or released()
    return colorizer_of(read(path), path).to(device).eval()


def colorizer_of(content: dict[str, Any], path: str | Path) -> Colorizer:
    """Build the averaged Colorizer of what `read` returned; `path` names the file in errors.

    Raises:
        UserError: as `load`.
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
    weights = averaged_weights(content)
    with bounded(path, weights):
        experiment = config.resolve(nodes, [], {"net": NETS, "codec": CODECS}, origin=str(path))
        colorizer = build_colorizer(experiment, size, pretrained=False, weights=None)
    try:
        colorizer.load_state_dict(weights)
    except RuntimeError:
        raise UserError(f"{path}: its weights do not fit its experiment; was it made by another version?") from None
    return colorizer


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
        kept[node] = {key: without.get(key, value) for key, value in kept[node].items()}
    return {**kept, "system": "supervised"}


def build_colorizer(experiment: DictConfig, size: int, **start: Any) -> Colorizer:
    """Build the colorizer of an experiment.

    Args:
        experiment: with the resolved nodes `net` and `codec`.
        size: short side in pixels at which color is predicted.
        start: overrides of `pretrained` and `weights` of a net with a body.

    Raises:
        UserError: values that do not go together; weights that cannot be had.
    """
    codec = config.construct(CODECS, experiment.codec)
    net = config.construct(NETS, experiment.net, channels=codec.channels, **start)
    return Colorizer(net, codec, size)
