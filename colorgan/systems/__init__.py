"""Every training system by its name, and the one place where names become objects."""

import inspect
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from colorgan import checkpoint, config
from colorgan.codecs import CODECS
from colorgan.data import DATASETS, PhotographData
from colorgan.errors import UserError
from colorgan.nets import DISCRIMINATORS, NETS
from colorgan.systems.adversarial import Adversarial
from colorgan.systems.base import Colorizer
from colorgan.systems.supervised import Supervised

SYSTEMS = {"adversarial": Adversarial, "supervised": Supervised}
TABLES = {"net": NETS, "codec": CODECS, "system": SYSTEMS, "discriminator": DISCRIMINATORS, "data": DATASETS}


def build(experiment: DictConfig, pretrained: bool) -> Colorizer:
    """The system of a resolved experiment with fresh weights, or published ones for its body if `pretrained`."""
    codec = config.construct(CODECS, experiment.codec)
    net = config.construct(NETS, experiment.net, channels=codec.channels, pretrained=pretrained)
    parts: dict[str, Any] = {"net": net, "codec": codec, "experiment": experiment}
    if "discriminator" in inspect.signature(SYSTEMS[experiment.system.name]).parameters:
        parts["discriminator"] = config.construct(DISCRIMINATORS, experiment.discriminator, channels=3)
    return config.construct(SYSTEMS, experiment.system, **parts)


def build_data(experiment: DictConfig) -> PhotographData:
    """The data module of a resolved experiment."""
    data = experiment.data
    root = Path(data.root).expanduser() if data.root else None
    return PhotographData(lambda train: config.construct(DATASETS, data, root=root, train=train), data, experiment.seed)


def load(path: str | Path, device: str | torch.device = "cpu") -> Colorizer:
    """A trained model, ready to color.

    Args:
        path: a checkpoint of a run; it carries its experiment, so nothing else is needed.
        device: where it shall color, as in "cuda".

    Raises:
        UserError: no such checkpoint, one of another program, or one that this version cannot build.
    """
    content = checkpoint.read(path)
    experiment = config.resolve(content["experiment"], [], TABLES, origin=str(path))
    model = build(experiment, pretrained=False)
    try:
        model.load_state_dict(content["state_dict"])
    except RuntimeError:
        raise UserError(f"{path}: its weights do not fit its experiment; was it made by another version?") from None
    return model.to(device).eval()
