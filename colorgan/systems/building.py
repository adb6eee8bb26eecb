"""Build systems from experiments and checkpoints."""

import inspect
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from colorgan import archives, config
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
        experiment: resolved experiment, completed by `with_num_classes`.
        fresh: load the published or given weights of bodies; False if a checkpoint will overwrite them anyway.

    Raises:
        UserError: parts that do not fit together, or weights that cannot be loaded.
    """
    system = SYSTEMS[experiment.system.name]
    parameters = inspect.signature(system).parameters
    start: dict[str, Any] = {"pretrained": experiment.pretrained and fresh} | ({} if fresh else {"weights": None})
    parts: dict[str, Any] = {"experiment": experiment, **start}
    used = ["system"]
    if issubclass(system, Colorization):
        parts["colorizer"] = build_colorizer(experiment, experiment.data.size, **start)
        used.append("net")
    if "discriminator" in parameters:
        parts["discriminator"] = config.construct(DISCRIMINATORS, experiment.discriminator, channels=3, **start)
        used.append("discriminator")
    for key in used:
        part = experiment[key]
        untrained = fresh and not experiment.pretrained and not part.get("weights")
        if untrained and "pretrained" in inspect.signature(TABLES[key][part.name]).parameters:
            log.warning("pretrained=false: the body of '%s' starts from random weights", part.name)
    return config.construct(SYSTEMS, experiment.system, **parts)


def with_num_classes(experiment: DictConfig, count: Callable[[], int], fresh: bool) -> DictConfig:
    """Return an experiment with the number of classes of the data, if it needs one and does not set it.

    Args:
        experiment: resolved experiment.
        count: returns the number of classes of the data; only called if it is needed.
        fresh: whether the run is new; a resumed run has the classes that it started with.

    Raises:
        UserError: the data has more classes than the experiment sets, or a run that started without scenes gets them.
    """
    key = "system" if "classes" in experiment.system else "net" if experiment.system.get("scene_weight") else None
    if key is None or "classes" not in experiment[key]:
        return experiment
    given, found = experiment[key].classes, count()
    if given is None and not fresh:
        raise UserError(
            "system.scene_weight: this run's net has no scene classes; start a new run with run_dir=... instead"
        )
    if given is not None and 1 < given < found:
        raise UserError(f"{key}.classes={given}: the data has {found}; start a new run without this key")
    if given is not None:
        return experiment
    if found == 1 and key == "net":
        log.warning("all images are in one folder: there are no scenes to classify")
    experiment = experiment.copy()
    OmegaConf.set_readonly(experiment, False)
    experiment[key].classes = found
    OmegaConf.set_readonly(experiment, True)
    return experiment


def load_classifier(path: str | Path, device: str | torch.device = "cpu") -> Classifier:
    """Load a trained classifier of color images, in evaluation mode.

    Args:
        path: a checkpoint of experiments/judge.yaml, or of another classifier with `system.color=true`.
        device: device of the classifier.

    Raises:
        UserError: the checkpoint does not exist, or is that of a colorizer or of a classifier of lightness.
    """
    content = checkpoint.read(path)
    state = content["state_dict"]
    with checkpoint.bounded(path, state):
        experiment = config.resolve(content["experiment"], [], TABLES, origin=str(path))
    if experiment.system.name != "classifier" or not experiment.system.color:
        found = "a classifier of gray images" if experiment.system.name == "classifier" else "a colorizer"
        raise UserError(f"{path}: {found}; give a checkpoint of experiments/judge.yaml, a classifier of color images")
    with checkpoint.bounded(path, state):
        classifier = build(experiment, fresh=False)
    try:
        classifier.load_state_dict(state)
    except RuntimeError:
        raise UserError(f"{path}: its weights do not fit its experiment; was it made by another version?") from None
    names = content.get("classes", [])
    classifier.names = names if archives.is_plain(names) and isinstance(names, list) else []
    return classifier.to(device).eval()


def load_net_weights(system: Colorization, path: str | Path) -> None:
    """Initialize the net of a new system, and its average, with the averaged weights of a checkpoint.

    Raises:
        UserError: the checkpoint does not exist, or its net has another architecture.
    """
    state = checkpoint.averaged_weights(checkpoint.read(path))
    weights = {key.removeprefix("net."): value for key, value in state.items() if key.startswith("net.")}
    try:
        system.model.net.load_state_dict(weights)
        system.average.net.load_state_dict(weights)
    except RuntimeError:
        raise UserError(f"{path}: its net differs from net={system.experiment.net.name} of this experiment") from None
