"""Bodies: backbones of timm for several nets, the projected discriminator and the classifier.

timm is imported where a body is built, because the import is slow and most nets do not need it.
"""

import hashlib
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from colorgan import archives
from colorgan.allocation import AllocationLimit, TooLarge
from colorgan.errors import UserError
from colorgan.nets import efficientnet_lite
from colorgan.nets.published import EXTRA, PACKAGES, read_package

log = logging.getLogger(__name__)

_SPARE = 1 << 30  # bytes, of a network of timm beside its weights in a file: a part may be left out of these
IMAGENET_STATISTICS = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}  # of RGB in [0, 1]


class FrozenBody(nn.Module):
    """A module whose `body` is not trained and always in evaluation mode."""

    body: nn.Module

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all modules but `body`."""
        super().train(mode)
        self.body.eval()
        return self


def make_body(
    name: str,
    pretrained: bool,
    weights: str | None = None,
    num_classes: int | None = None,
    channels: int = 1,
    **options: Any,
) -> nn.Module:
    """Create a network of timm.

    For gray pictures, timm sums the RGB kernels of the first layer.

    Args:
        name: of the network in timm.
        pretrained: whether to load the published weights, if `weights` is not given.
        weights: path of a checkpoint of our classifier with this body, or of weights of timm for it.
        num_classes: number of logits; 0: pooled features instead of logits; default: that of timm.
        channels: of the input: 1 (gray) or 3 (RGB).
        options: further arguments of `timm.create_model`.

    Raises:
        ValueError: timm has no network of this name.
        UserError: the weights cannot be downloaded or read, or do not fit the network.
    """
    import timm

    if not timm.is_model(name):
        raise ValueError(f"timm has no network '{name}'; `timm.list_models()` shows them")
    make = partial(timm.create_model, name, in_chans=channels, **options)
    if weights:
        overlay = _read_weights(weights, name)
        if num_classes not in (None, 0, overlay["num_classes"]):
            raise UserError(f"{weights}: a classifier of {overlay['num_classes']} classes; say so in the net")
        if channels > overlay.get("input_size", [channels])[0]:
            raise UserError(f"{weights}: it sees no color; experiments/judge.yaml trains a classifier that does")
        try:  # with num_classes of the weights, because for another number timm loads them with strict=False
            numbers = sum(value.numel() for value in overlay["state_dict"].values())
            with AllocationLimit(8 * numbers + _SPARE):
                body = make(pretrained=True, pretrained_cfg_overlay=overlay, num_classes=overlay["num_classes"])
        except (RuntimeError, KeyError, TooLarge):  # of torch, and of timm's conversions of older weights
            raise UserError(f"{weights}: not weights of '{name}': name a file that holds them") from None
        if num_classes == 0:
            body.reset_classifier(0)
        return body
    if not pretrained:
        return make(pretrained=False, num_classes=num_classes)
    if state := read_package(name):
        overlay = {"state_dict": state, "num_classes": timm.get_pretrained_cfg(name).num_classes}
        return make(pretrained=True, pretrained_cfg_overlay=overlay, num_classes=num_classes)
    hub_log = logging.getLogger("huggingface_hub")  # warns of every retry of a download
    level = hub_log.level
    hub_log.setLevel(logging.ERROR)
    log.warning("fetching the published weights of %s", name)
    try:
        return make(pretrained=True, num_classes=num_classes)
    except TypeError:  # an option that the network does not have
        raise
    except Exception as error:  # offline, no published weights, or any error of the HTTP libraries
        raise UserError(
            f"{name}: its published weights cannot be had ({type(error).__name__}): {_package_hint(name)}set "
            "net.weights=FILE (a checkpoint of experiments/resnet18-classifier.yaml with this body, or weights of "
            "timm), or pretrained=false"
        ) from None
    finally:
        hub_log.setLevel(level)


def make_encoder(name: str, pretrained: bool, weights: str | None = None) -> nn.Module:
    """Create a network of timm that returns its feature maps, for gray pictures of any size.

    Args:
        name: of the network in timm.
        pretrained: see `make_body`.
        weights: see `make_body`.

    Raises:
        ValueError: timm has no network of this name, or none that takes pictures of any size and gives maps of theirs.
        UserError: see `make_body`.
    """
    if name == efficientnet_lite.NAME and not pretrained and not weights:
        return efficientnet_lite.EfficientNetLite0()
    import timm

    cfg = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    dynamic = {"dynamic_img_size": True} if cfg and cfg.fixed_input_size else {}  # transformers interpolate positions
    if weights:
        make_body(name, pretrained, weights)  # refuses those of another network, which timm does not for feature maps
    timm_log, leave_out = logging.getLogger("timm.models._builder"), _is_not_about_unused_weights
    timm_log.addFilter(leave_out)
    try:
        body = make_body(name, pretrained, weights, features_only=True, **dynamic)
    except TypeError:
        raise ValueError(f"body={name}: it takes pictures of a single size") from None
    finally:
        timm_log.removeFilter(leave_out)
    info = body.feature_info
    side = max(info.reduction())
    expected = [(1, n, side // r, 2 * side // r) for n, r in zip(info.channels(), info.reduction(), strict=True)]
    try:
        with torch.no_grad():
            maps = body.eval()(torch.zeros(1, 1, side, 2 * side))
    except RuntimeError:  # too small a picture
        maps = []
    if [x.shape for x in maps] != expected:
        raise ValueError(f"body={name}: its feature maps are not (B, C, H, W) with H and W divided by a power of two")
    return body.train()


def make_vgg(name: str, width: int, pretrained: bool, weights: str | None) -> nn.Module:
    """Create a VGG of timm for gray pictures.

    Args:
        name: of the network in timm, such as "vgg16".
        width: channels of the first layer, 64 in the paper; those of the others are proportional.
        pretrained: see `make_body`.
        weights: see `make_body`.

    Raises:
        ValueError: pretrained weights for a `width` other than 64.
        UserError: see `make_body`.
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
    """Return the stages of a VGG, which are separated by its pooling layers: its convolutions, each with its ReLU."""
    stages = [[]]
    for layer in body.features:
        if isinstance(layer, nn.MaxPool2d):
            stages.append([])
        else:
            stages[-1].append(layer)
    return nn.ModuleList(nn.Sequential(*stage) for stage in stages if stage)


def standardize(L: Tensor, cfg: Mapping[str, Any] = IMAGENET_STATISTICS) -> Tensor:
    """Normalize lightness for a network with a single input channel.

    Args:
        L: (B, 1, H, W) in [0, 100].
        cfg: `pretrained_cfg` of the network, whose "mean" and "std" are averaged over R, G and B.
    """
    mean, std = (sum(cfg[key]) / len(cfg[key]) for key in ("mean", "std"))
    return (L / 100 - mean) / std


def standardize_rgb(rgb: Tensor, cfg: Mapping[str, Any] = IMAGENET_STATISTICS) -> Tensor:
    """Normalize RGB for a network with three input channels.

    Args:
        rgb: (B, 3, H, W) in [0, 1].
        cfg: `pretrained_cfg` of the network, of which "mean" and "std" are used.
    """
    channels = zip(rgb.unbind(1), cfg["mean"], cfg["std"], strict=True)
    return torch.stack([(channel - mean) / std for channel, mean, std in channels], dim=1)


def hash_weights(body: nn.Module) -> str:
    """Return a hash of the state dict of a network, 12 hexadecimal digits."""
    sha = hashlib.blake2b(digest_size=6)
    for value in body.state_dict().values():
        sha.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def _is_not_about_unused_weights(record: logging.LogRecord) -> bool:
    """Filter the warning of timm that feature maps do not need all published weights, such as those of the logits."""
    return not record.getMessage().startswith("Unexpected keys")


def _package_hint(name: str) -> str:
    if name not in PACKAGES:
        return ""
    extra = "pip install 'colorgan[encoder]' or " if name == EXTRA else ""
    return f"{extra}pip install {PACKAGES[name]}, "


def _read_weights(path: str, name: str) -> dict[str, Any]:
    """Read the weights of a body from a file.

    Args:
        path: of a checkpoint of our classifier, or of weights of timm.
        name: of the network in timm.

    Returns:
        Entries for the `pretrained_cfg` of timm: the state dict, the number of classes, and the input size if known.

    Raises:
        UserError: the file does not exist or cannot be read, or is a checkpoint of another system or body.
    """
    import safetensors.torch
    import timm

    file = Path(path).expanduser()
    if not file.is_file():
        raise UserError(f"{path}: no such file of weights; train it, name another, or set weights=null")
    try:
        if file.suffix == ".safetensors":
            content = safetensors.torch.load_file(file)
        else:
            content = archives.read(file)
        system = content["experiment"]["system"] if "experiment" in content else None
        state = content.get("state_dict", content)
        if not state or not all(isinstance(value, Tensor) for value in state.values()):
            raise ValueError("not a state")
    except archives.Refused as error:
        raise UserError(f"{path}: refused: {error}") from None
    except Exception:  # arbitrary bytes make the readers raise any exception
        raise UserError(f"{path}: not a file of weights, or a broken one") from None
    if system is None:
        cfg = timm.get_pretrained_cfg(name)
        logits = state.get(f"{cfg.classifier}.weight")
        return {"state_dict": state, "num_classes": cfg.num_classes if logits is None else len(logits)}
    if system["name"] != "classifier":
        raise UserError(f"{path}: a colorizer's checkpoint; the weights of a body come from a classifier's")
    if system["body"] != name:
        raise UserError(f"{path}: a classifier with the body '{system['body']}', not '{name}'")
    prefix = "ema.module."  # of the averaged weights
    state = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    channels = 3 if system.get("color") else 1
    return {"state_dict": state, "num_classes": system["classes"], "input_size": (channels, 224, 224)}
