"""From an experiment, or a checkpoint, to a system."""

import inspect
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from colorgan import config
from colorgan.colorizer import checkpoint
from colorgan.colorizer.checkpoint import build_colorizer
from colorgan.errors import UserError
from colorgan.systems import DISCRIMINATORS, SYSTEMS, TABLES
from colorgan.systems.base import System
from colorgan.systems.classifier import Classifier
from colorgan.systems.colorization import Colorization

log = logging.getLogger(__name__)


def build(experiment: DictConfig, fresh: bool) -> System:
    """Build the system of a resolved experiment.

    Args:
        experiment: with the number of classes filled in, where it has such a key (see `with_classes`).
        fresh: bodies start from the published or given weights that it names; else from random ones, because a
            checkpoint is going to fill them.

    Raises:
        UserError: parts that do not go together; weights that cannot be had.
    """
    system = SYSTEMS[experiment.system.name]
    takes = inspect.signature(system).parameters
    start: dict[str, Any] = {"pretrained": experiment.pretrained and fresh} | ({} if fresh else {"weights": None})
    parts: dict[str, Any] = {"experiment": experiment, **start}
    used = ["system"]
    if issubclass(system, Colorization):
        parts["colorizer"] = build_colorizer(experiment, experiment.data.size, **start)
        used.append("net")
    if "discriminator" in takes:
        parts["discriminator"] = config.construct(DISCRIMINATORS, experiment.discriminator, channels=3, **start)
        used.append("discriminator")
    for key in used:
        part = experiment[key]
        untrained = fresh and not experiment.pretrained and not part.get("weights")
        if untrained and "pretrained" in inspect.signature(TABLES[key][part.name]).parameters:
            log.warning("pretrained=false: the body of '%s' starts from random weights", part.name)
    return config.construct(SYSTEMS, experiment.system, **parts)


def with_classes(experiment: DictConfig, count: Callable[[], int], fresh: bool) -> DictConfig:
    """Fill in the number of classes of the data, where a part of the experiment needs it and none is set.

    Args:
        experiment: resolved.
        count: returns the number of classes of the data.
        fresh: the run starts; else it goes on, with the classes that it started with.

    Raises:
        UserError: more classes than the experiment says; scenes in a run that started without.
    """
    key = "system" if "classes" in experiment.system else "net" if experiment.system.get("scene_weight") else None
    if key is None or "classes" not in experiment[key]:
        return experiment
    given, found = experiment[key].classes, count()
    if given is None and not fresh:
        raise UserError("system.scene_weight: this run's net has no scenes; start a new run with run_dir=... instead")
    if given is not None and 1 < given < found:
        raise UserError(f"{key}.classes={given}: the data has {found}; start a new run without this key")
    if given is not None:
        return experiment
    if found == 1 and key == "net":
        log.warning("the pictures stand in one folder: there are no scenes to tell apart")
    experiment = experiment.copy()
    OmegaConf.set_readonly(experiment, False)
    experiment[key].classes = found
    OmegaConf.set_readonly(experiment, True)
    return experiment


def load_classifier(path: str | Path, device: str | torch.device = "cpu") -> Classifier:
    """Load a trained classifier of colored scenes, in evaluation mode.

    Raises:
        UserError: no such checkpoint; a colorizer; a classifier of gray scenes.
    """
    content = checkpoint.read(path)
    experiment = config.resolve(content["experiment"], [], TABLES, origin=str(path))
    if experiment.system.name != "classifier" or not experiment.system.color:
        found = "a classifier that sees no color" if experiment.system.name == "classifier" else "a colorizer"
        raise UserError(f"{path}: {found}; experiments/judge.yaml trains a classifier that judges")
    classifier = build(experiment, fresh=False)
    try:
        classifier.load_state_dict(content["state_dict"])
    except RuntimeError:
        raise UserError(f"{path}: its weights do not fit its experiment; was it made by another version?") from None
    classifier.names = content.get("classes", [])
    return classifier.to(device).eval()


def start_from(system: Colorization, path: str | Path) -> None:
    """Give the net of a new system, and its average, the averaged weights of a checkpoint.

    Raises:
        UserError: no such checkpoint; one of another net.
    """
    state = checkpoint.averaged_weights(checkpoint.read(path))
    weights = {key.removeprefix("net."): value for key, value in state.items() if key.startswith("net.")}
    try:
        system.model.net.load_state_dict(weights)
        system.average.net.load_state_dict(weights)
    except RuntimeError:
        raise UserError(f"{path}: its net is another one than net={system.experiment.net.name} here") from None
