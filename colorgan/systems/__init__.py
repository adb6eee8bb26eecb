"""Every training system by its name, and the one place where names become objects."""

import inspect
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from colorgan import config
from colorgan.codecs import CODECS
from colorgan.colorizer import checkpoint
from colorgan.data import DATASETS, PhotographData
from colorgan.discriminators import DISCRIMINATORS
from colorgan.errors import UserError
from colorgan.nets import NETS
from colorgan.systems.adversarial import Adversarial
from colorgan.systems.base import System
from colorgan.systems.classifier import Classifier
from colorgan.systems.colorization import Colorizer
from colorgan.systems.supervised import Supervised

log = logging.getLogger(__name__)

SYSTEMS = {"adversarial": Adversarial, "supervised": Supervised, "classifier": Classifier}
TABLES = {"net": NETS, "codec": CODECS, "system": SYSTEMS, "discriminator": DISCRIMINATORS, "data": DATASETS}


def build(experiment: DictConfig, fresh: bool) -> System:
    """The system of a resolved experiment.

    Args:
        experiment: with the number of classes filled in, where it has such a key (see `with_classes`).
        fresh: bodies start from the published or given weights that it names; else from random ones, because a
            checkpoint is going to fill them.

    Raises:
        UserError: parts that do not go together; weights that cannot be had.
    """
    takes = inspect.signature(SYSTEMS[experiment.system.name]).parameters
    start: dict[str, Any] = {"pretrained": experiment.pretrained and fresh} | ({} if fresh else {"weights": None})
    parts: dict[str, Any] = {"experiment": experiment, **start}
    if "net" in takes:
        parts["codec"] = codec = config.construct(CODECS, experiment.codec)
        parts["net"] = config.construct(NETS, experiment.net, channels=codec.channels, **start)
    if "discriminator" in takes:
        parts["discriminator"] = config.construct(DISCRIMINATORS, experiment.discriminator, channels=3, **start)
    for key, table in (("system", SYSTEMS), ("net", NETS), ("discriminator", DISCRIMINATORS)):
        part = experiment[key]
        used = key == "system" or key in takes
        untrained = fresh and not experiment.pretrained and not part.get("weights")
        if used and untrained and "pretrained" in inspect.signature(table[part.name]).parameters:
            log.warning("pretrained=false: the body of '%s' starts from random weights", part.name)
    return config.construct(SYSTEMS, experiment.system, **parts)


def with_classes(experiment: DictConfig, count: Callable[[], int], fresh: bool) -> DictConfig:
    """The experiment with the number of classes of its data, where a part tells them apart and none is set.

    Args:
        experiment: resolved.
        count: gives the number of classes of the data.
        fresh: the run starts; else it goes on, with the classes that it started with.

    Raises:
        UserError: more classes than the experiment says; scenes in a run that started without.
    """
    key = "system" if "classes" in experiment.system else "net" if experiment.system.get("scene_weight") else None
    if key is None or "classes" not in experiment[key]:
        return experiment
    told, found = experiment[key].classes, count()
    if told is None and not fresh:
        raise UserError("system.scene_weight: this run's net has no scenes; start a new run with run_dir=... instead")
    if told is not None and 1 < told < found:
        raise UserError(f"{key}.classes={told}: the data has {found}; start a new run without this key")
    if told is not None:
        return experiment
    if found == 1 and key == "net":
        log.warning("the pictures stand in one folder: there are no scenes to tell apart")
    experiment = experiment.copy()
    OmegaConf.set_readonly(experiment, False)
    experiment[key].classes = found
    OmegaConf.set_readonly(experiment, True)
    return experiment


def build_data(experiment: DictConfig) -> PhotographData:
    """The data module of a resolved experiment."""
    data = experiment.data
    root = Path(data.root).expanduser() if data.root else None
    return PhotographData(lambda train: config.construct(DATASETS, data, root=root, train=train), data, experiment.seed)


def load(path: str | Path = checkpoint.RELEASED, device: str | torch.device = "cpu") -> Colorizer:
    """A trained model, ready to color.

    Args:
        path: a checkpoint; it carries its experiment, so nothing else is needed. Default: the released generator.
        device: where it shall color, as in "cuda".

    Raises:
        UserError: no such checkpoint, one of another program, or one that this version cannot build.
    """
    model, _ = _read(path)
    if not isinstance(model, Colorizer):
        raise UserError(f"{path}: a scene classifier: it colors nothing, but is `net.weights` for nets with its body")
    return model.to(device).eval()


def load_judge(path: str | Path, device: str | torch.device = "cpu") -> Classifier:
    """A trained classifier of colored scenes, to judge what colorizers make of them.

    Raises:
        UserError: as `load`; a colorizer; a classifier of gray scenes.
    """
    model, content = _read(path)
    if not isinstance(model, Classifier) or not model.color:
        found = "a classifier that sees no color" if isinstance(model, Classifier) else "a colorizer"
        raise UserError(f"{path}: {found}; experiments/judge.yaml trains a classifier that judges")
    model.names = content.get("classes", [])
    return model.to(device).eval()


def start_from(system: System, path: str | Path) -> None:
    """Gives a new system's net, and its average, the averaged weights of a checkpoint.

    Raises:
        UserError: as `load`; a checkpoint of another net.
    """
    weights = _read(path)[0].ema.module.state_dict()
    try:
        system.net.load_state_dict(weights)
    except RuntimeError:
        raise UserError(f"{path}: its net is another one than net={system.experiment.net.name} here") from None
    system.ema.module.load_state_dict(weights)


def _read(path: str | Path) -> tuple[System, dict[str, Any]]:
    """The system of a checkpoint, and the checkpoint."""
    content = checkpoint.read(path)
    experiment = config.resolve(content["experiment"], [], TABLES, origin=str(path))
    model = build(experiment, fresh=False)
    try:
        model.load_state_dict(content["state_dict"])
    except RuntimeError:
        raise UserError(f"{path}: its weights do not fit its experiment; was it made by another version?") from None
    return model, content
