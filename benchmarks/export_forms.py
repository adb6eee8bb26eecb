"""Measure what smaller forms of the released generator in ONNX cost, on photographs of a folder.

Weights in float16 and int8 are the forms of `colorgan.export --precision`. Beside them stand ONNX Runtime's own
quantizations, which also make the activations int8: dynamic, and static, calibrated on other photographs.

    python benchmarks/export_forms.py FOLDER CALIBRATION_FOLDER
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from colorgan import load
from colorgan.color import split
from colorgan.colorizer.colorizer import Colorizer
from colorgan.data.folder import find_images
from colorgan.exporting.compression import compress
from colorgan.exporting.graph import trace
from colorgan.exporting.onnx_file import runner, write
from colorgan.imaging import images

COUNT = 50  # photographs, evenly from the sorted list of a folder
LAYERS = ["Conv", "MatMul", "Gemm", "Add", "Clip", "Relu"]


def photographs(folder: Path) -> Iterator[torch.Tensor]:
    """Read `COUNT` photographs, sRGB (3, H, W) each."""
    files = sorted(map(folder.joinpath, find_images(folder)))
    for file in files[:: max(1, len(files) // COUNT)][:COUNT]:
        yield torch.from_numpy(images.read(file).rgb).permute(2, 0, 1)


class Calibration(CalibrationDataReader):
    """Gives the lightness of photographs to ONNX Runtime."""

    def __init__(self, model: Colorizer, folder: Path):
        self.inputs = ({"L": model.shrink(rgb).numpy()} for rgb in photographs(folder))

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next input."""
        return next(self.inputs, None)


def make_forms(model: Colorizer, folder: Path, calibration: Path) -> dict[str, Path]:
    """Write all forms of a model into a folder."""
    names = ("float32", "float16 weights", "int8 weights", "int8 dynamic", "int8 static", "prepared")
    forms = {name: folder / f"{name}.onnx" for name in names}
    write(trace(model), forms["float32"], {"colorgan": "benchmark"}, "float32")
    for name in ("float16", "int8"):
        smaller = onnx.load(forms["float32"])
        compress(smaller, name)
        onnx.save(smaller, forms[f"{name} weights"])
    prepared = forms.pop("prepared")
    quant_pre_process(forms["float32"], prepared, skip_symbolic_shape=True)
    quantize_dynamic(prepared, forms["int8 dynamic"], per_channel=True, op_types_to_quantize=LAYERS[:3])
    options = {"per_channel": True, "weight_type": QuantType.QInt8, "activation_type": QuantType.QUInt8}
    reader = Calibration(model, calibration)
    quantize_static(prepared, forms["int8 static"], reader, op_types_to_quantize=LAYERS, **options)
    return forms


@torch.no_grad()
def main() -> None:
    """Print a row of a Markdown table for each form."""
    model, (data, calibration) = load(), map(Path, sys.argv[1:3])
    torch.set_num_threads(1)
    pictures = []
    for rgb in photographs(data):
        L = model.shrink(rgb)
        true = split(F.interpolate(rgb[None], L.shape[-2:], mode="bilinear", antialias=True))[1]
        pictures.append((L, true))
    print(f"{len(pictures)} photographs")
    print("| form | MB | ms a photograph | ab difference from float32, mean | largest | ab error to the truth |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        expected = []
        forms = make_forms(model, Path(folder), calibration)
        for name, path in forms.items():
            run, found = runner(path), []
            started = time.process_time()
            for L, _ in pictures:
                found.append(run(L))
            milliseconds = 1000 * (time.process_time() - started) / len(pictures)
            expected = expected or found
            off = [ab - other for ab, other in zip(found, expected, strict=True)]
            mean = np.mean([float(d.norm(dim=1).mean()) for d in off])
            largest = max(float(d.abs().max()) for d in off)
            error = np.mean(
                [
                    float((ab - F.interpolate(true, ab.shape[-2:], mode="area")).norm(dim=1).mean())
                    for ab, (_, true) in zip(found, pictures, strict=True)
                ]
            )
            megabytes = path.stat().st_size / 1e6
            row = (f"{megabytes:.1f}", f"{milliseconds:.0f}", f"{mean:.2f}", f"{largest:.1f}", f"{error:.2f}")
            print("|", name, "|", " | ".join(row), "|", flush=True)


if __name__ == "__main__":
    main()
