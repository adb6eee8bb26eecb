"""ONNX: a traced colorizer as a model that ONNX Runtime computes, in Python and in a browser."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor
from torch.export import ExportedProgram

from colorgan.errors import UserError
from colorgan.exporting.compression import Precision, compress

OPSET = 18  # the oldest with the antialiased resizing of some nets; onnxruntime-web has it since 1.14
INPUTS = ("L", "hints")
SIZES = ("batch", "height", "width")


def to_onnx(program: ExportedProgram, metadata: dict[str, str], precision: Precision) -> onnx.ModelProto:
    """Convert a traced program of `graph.trace`.

    Args:
        program: with the input L, and hints or none.
        metadata: strings of `description.describe`.
        precision: of the stored weights; inputs, outputs and what is computed are float32.

    Returns:
        a model with the inputs "L" (batch, 1, height, width) and, if the program has it, "hints" (batch, 3, height,
        width), and the output "ab".

    Raises:
        UserError: ONNX has no equivalent of an operation.
    """
    names = INPUTS[: len(program.graph_signature.user_inputs)]
    try:
        converted = torch.onnx.export(
            program, dynamo=True, input_names=names, output_names=["ab"], opset_version=OPSET, verbose=False
        )
    except torch.onnx.errors.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().split("\n")[0]
        raise UserError(f"--format onnx: ONNX cannot express this net ({reason}); try --format torch-export") from None
    model = converted.model_proto
    compress(model, precision)
    for value in model.graph.input:
        for axis, name in zip((0, 2, 3), SIZES, strict=True):
            value.type.tensor_type.shape.dim[axis].dim_param = name
    for axis, name in zip((0, 2, 3), ("batch", "ab_height", "ab_width"), strict=True):
        model.graph.output[0].type.tensor_type.shape.dim[axis].dim_param = name
    del model.graph.value_info[:]  # it names sizes as torch does
    onnx.helper.set_model_props(model, {**metadata, "precision": precision})
    model.doc_string = "L of Lab in [0, 100] to ab of Lab, by colorgan"
    model.producer_name, model.producer_version = "colorgan", metadata["colorgan"]
    return model


def write(
    program: ExportedProgram, path: Path, metadata: dict[str, str], precision: Precision
) -> Callable[..., Tensor]:
    """Write the model of `to_onnx` to a file; return what the file computes.

    Raises:
        UserError: as `to_onnx`.
    """
    onnx.save(to_onnx(program, metadata, precision), path)
    return runner(path)


def runner(path: Path) -> Callable[..., Tensor]:
    """Return a function of tensors that computes a file of ONNX on one core of the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(*inputs: Tensor) -> Tensor:
        named = {name: np.ascontiguousarray(x) for name, x in zip(INPUTS, inputs, strict=False)}
        return torch.from_numpy(session.run(["ab"], named)[0])

    return run
