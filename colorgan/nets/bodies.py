"""Backbones of timm for gray pictures: the bodies of several nets, and of the scene classifier.

timm is imported where a body is built, because nets without one should not wait for it.
"""

import hashlib
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from colorgan.errors import UserError

log = logging.getLogger(__name__)
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}  # of most networks
HUB = logging.getLogger("huggingface_hub")  # announces every retry of a download


def make_body(
    name: str,
    pretrained: bool,
    weights: str | None = None,
    num_classes: int | None = None,
    channels: int = 1,
    **options: Any,
) -> nn.Module:
    """A network of timm; RGB kernels of given weights are summed for a single channel.

    Args:
        name: as timm calls it.
        pretrained: start from the published weights, unless `weights` says others.
        weights: a checkpoint of our scene classifier with this body, or a file of timm's weights for it.
        num_classes: values of a picture's logits; 0: its features instead; default: as timm has it.
        channels: of the picture: 1 (gray) or 3.
        options: of `timm.create_model`.

    Raises:
        ValueError: timm has no such network.
        UserError: the weights cannot be had, or are those of another network.
    """
    import timm

    if not timm.is_model(name):
        raise ValueError(f"timm has no network '{name}'; `timm.list_models()` shows them")
    make = partial(timm.create_model, name, in_chans=channels, **options)
    if weights:
        given = _read(weights, name)
        if num_classes not in (None, 0, given["num_classes"]):
            raise UserError(f"{weights}: a classifier of {given['num_classes']} classes; say so in the net")
        if channels > given.get("input_size", [channels])[0]:
            raise UserError(f"{weights}: it sees no color; experiments/features.yaml trains a classifier that does")
        try:  # with all their classes: timm lets any weights pass where a network has another number of them
            body = make(pretrained=True, pretrained_cfg_overlay=given, num_classes=given["num_classes"])
        except RuntimeError:
            raise UserError(f"{weights}: not weights of '{name}': name a file that holds them") from None
        if num_classes == 0:
            body.reset_classifier(0)
        return body
    if not pretrained:
        return make(pretrained=False, num_classes=num_classes)
    level = HUB.level
    HUB.setLevel(logging.ERROR)
    log.warning("fetching the published weights of %s", name)
    try:
        return make(pretrained=True, num_classes=num_classes)
    except Exception as error:  # no network, nothing published, and whatever a proxy brings the libraries to raise
        raise UserError(
            f"{name}: its published weights cannot be had ({type(error).__name__}): set net.weights=FILE "
            "(a checkpoint of experiments/resnet18-classifier.yaml with this body, or weights of timm), "
            "or pretrained=false"
        ) from None
    finally:
        HUB.setLevel(level)


def make_vgg(name: str, width: int, pretrained: bool, weights: str | None) -> nn.Module:
    """A VGG of timm whose first layer has `width` channels, and the others in proportion; published ones have 64.

    Raises:
        ValueError: weights are wanted that are of another width.
        UserError: as `make_body`.
    """
    if width == 64:
        return make_body(name, pretrained, weights, num_classes=0)
    if pretrained or weights:
        raise ValueError(f"width={width}: weights to start from have width=64; set pretrained=false and no weights")
    from timm.models import vgg

    body = vgg.VGG([v if v == "M" else v * width // 64 for v in vgg.cfgs[name]], num_classes=0, in_chans=1)
    body.pre_logits = vgg.ConvMlp(8 * width, 64 * width, 7)
    return body


def vgg_stages(body: nn.Module) -> nn.ModuleList:
    """The convolutions of a VGG between its poolings, each with its ReLU: one Sequential a stage."""
    stages = [[]]
    for layer in body.features:
        if isinstance(layer, nn.MaxPool2d):
            stages.append([])
        else:
            stages[-1].append(layer)
    return nn.ModuleList(nn.Sequential(*stage) for stage in stages if stage)


def standardize(L: Tensor, cfg: Mapping[str, Any] = IMAGENET) -> Tensor:
    """L (B, 1, H, W) in [0, 100] as a network expects gray, by the mean and deviation in its `pretrained_cfg`."""
    mean, std = (sum(cfg[key]) / len(cfg[key]) for key in ("mean", "std"))
    return (L / 100 - mean) / std


def standardize_rgb(rgb: Tensor, cfg: Mapping[str, Any] = IMAGENET) -> Tensor:
    """Pictures (B, 3, H, W) in [0, 1] as a network expects color, by mean and deviation of its `pretrained_cfg`."""
    mean, std = (rgb.new_tensor(cfg[key])[:, None, None] for key in ("mean", "std"))
    return (rgb - mean) / std


def digest(body: nn.Module) -> str:
    """A short hash of a network's weights."""
    sha = hashlib.blake2b(digest_size=6)
    for value in body.state_dict().values():
        sha.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def _read(path: str, name: str) -> dict[str, Any]:
    """Return the entries of timm's `pretrained_cfg` that describe the weights of the body `name` in a file."""
    import safetensors.torch
    import timm

    file = Path(path).expanduser()
    if not file.is_file():
        raise UserError(f"{path}: no such file of weights; train it, name another, or set weights=null")
    try:
        if file.suffix == ".safetensors":
            content = safetensors.torch.load_file(file)
        else:
            content = torch.load(file, map_location="cpu", weights_only=True)
        system = content["experiment"]["system"] if "experiment" in content else None
        state = content.get("state_dict", content)
        if not state or not all(isinstance(value, Tensor) for value in state.values()):
            raise ValueError("not a state")
    except Exception:  # whatever a file of arbitrary bytes brings the readers to raise
        raise UserError(f"{path}: not a file of weights, or a broken one") from None
    if system is None:
        cfg = timm.get_pretrained_cfg(name)
        logits = state.get(f"{cfg.classifier}.weight")
        return {"state_dict": state, "num_classes": cfg.num_classes if logits is None else len(logits)}
    if system["name"] != "classifier":
        raise UserError(f"{path}: a colorizer's checkpoint; the weights of a body come from a classifier's")
    if system["body"] != name:
        raise UserError(f"{path}: a classifier with the body '{system['body']}', not '{name}'")
    averaged = "ema.module."
    state = {k.removeprefix(averaged): v for k, v in state.items() if k.startswith(averaged)}
    channels = 3 if system.get("color") else 1
    return {"state_dict": state, "num_classes": system["classes"], "input_size": (channels, 224, 224)}
