"""Writing and reading back exported files: one is complete and computes what the colorizer does, or is not there."""

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from colorgan.colorizer import checkpoint
from colorgan.colorizer.colorizer import Colorizer, Conditions
from colorgan.colorizer.pretrained import write_safetensors
from colorgan.errors import UserError
from colorgan.exporting.compression import Precision
from colorgan.exporting.graph import trace

Format = Literal["onnx", "safetensors", "torch-export"]
Run = Callable[..., Tensor]  # maps L (B, 1, H, W), and hints (B, 3, H, W), to ab (B, 2, h, w)
DESCRIPTION = "colorgan.json"  # within a file of torch.export


def write(
    colorizer: Colorizer, path: Path, format: Format, metadata: dict[str, str], precision: Precision, hints: bool
) -> Run:
    """Write a colorizer to a file.

    Args:
        colorizer: in evaluation mode; its spectral norms, if any, are fixed in place, except for safetensors.
        path: of a new file, with the suffix of the format.
        format: of the file.
        metadata: strings of `description.describe`.
        precision: of the stored weights: torch-export has float32 alone, safetensors also float16.
        hints: whether color hints are a second input.

    Returns:
        what the file computes, read back from it.

    Raises:
        UserError: the format has not this precision; the graph cannot be exported.
    """
    if format == "safetensors":
        if precision == "int8":
            raise UserError("--precision int8: of --format onnx alone; choose float16")
        return _write_safetensors(colorizer, path, metadata, precision)
    if format == "torch-export":
        if precision != "float32":
            raise UserError(f"--precision {precision}: not of --format torch-export; leave it out")
        return _write_program(colorizer, path, metadata, hints)
    from colorgan.exporting import onnx_file  # an extra

    return onnx_file.write(trace(colorizer, hints), path, metadata, precision)


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """Give a name beside `path` to write to; rename the file when the block ends, or remove it after an error."""
    temporary = path.with_name(f"unfinished-{path.name}")  # torch wants the suffix
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)


def _write_safetensors(colorizer: Colorizer, path: Path, metadata: dict[str, str], precision: Precision) -> Run:
    dtype = torch.float16 if precision == "float16" else torch.float32
    write_safetensors(colorizer, path, metadata, dtype)
    loaded = checkpoint.load(path)
    return lambda L, hints=None: loaded.predict(Conditions(L, hints=hints))


def _write_program(colorizer: Colorizer, path: Path, metadata: dict[str, str], hints: bool) -> Run:
    program = trace(colorizer, hints)
    with warnings.catch_warnings():  # of channels-last weights, which are saved whole
        warnings.filterwarnings("ignore", "No complete tensor found in the group")
        torch.export.save(program, path, extra_files={DESCRIPTION: json.dumps(metadata)})
    return torch.export.load(path).module()
