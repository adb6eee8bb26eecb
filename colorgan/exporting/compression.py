"""Smaller files of ONNX: weights in float16 or int8, which are float32 again when the file is loaded.

What is computed is float32, so that nothing but the rounding of the weights is lost, and every runtime can do it.
`docs/export.md` has what int8 activations cost.
"""

from typing import Literal

import numpy as np
import onnx
from onnx import helper, numpy_helper

from colorgan.errors import UserError

Precision = Literal["float32", "float16", "int8"]
SMALLEST = 1024  # values of a tensor that is worth it
OUTPUT_AXIS = {"Conv": 0, "ConvTranspose": 1, "Gemm": 0, "MatMul": -1}  # of a weight, the one of its output channels


def compress(model: onnx.ModelProto, precision: Precision) -> None:
    """Store the weights of a model in `precision`, in place.

    float16: all weights. int8: those of convolutions and matrix products, in [-127, 127] times a scale for each output
    channel; other tensors, such as biases, stay float32.

    Raises:
        UserError: a weight is too large for float16.
    """
    if precision == "float32":
        return
    axes = {node.input[1]: OUTPUT_AXIS[node.op_type] for node in model.graph.node if node.op_type in OUTPUT_AXIS}
    initializers, added = [], []
    for tensor in model.graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if weights.dtype != np.float32 or weights.size < SMALLEST or (precision == "int8" and tensor.name not in axes):
            initializers.append(tensor)
        elif precision == "float16":
            stored, nodes = _to_float16(tensor.name, weights)
            initializers.append(stored)
            added += nodes
        else:
            stored, nodes = _to_int8(tensor.name, weights, axes[tensor.name])
            initializers += stored
            added += nodes
    nodes = [*added, *model.graph.node]  # in the order of computation
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(initializers)
    model.graph.node.extend(nodes)


def _to_float16(name: str, weights: np.ndarray) -> tuple[onnx.TensorProto, list[onnx.NodeProto]]:
    if np.abs(weights).max() > np.finfo(np.float16).max:
        raise UserError(f"{name}: a weight is too large for float16; choose --precision float32")
    stored = numpy_helper.from_array(weights.astype(np.float16), f"{name}.float16")
    return stored, [helper.make_node("Cast", [stored.name], [name], to=onnx.TensorProto.FLOAT)]


def _to_int8(name: str, weights: np.ndarray, axis: int) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    others = tuple(i for i in range(weights.ndim) if i != axis % weights.ndim)
    scale = np.abs(weights).max(axis=others, keepdims=True) / 127
    scale[scale == 0] = 1
    stored = numpy_helper.from_array(np.round(weights / scale).astype(np.int8), f"{name}.int8")
    scales = numpy_helper.from_array(scale, f"{name}.scale")
    cast = helper.make_node("Cast", [stored.name], [f"{name}.levels"], to=onnx.TensorProto.FLOAT)
    return [stored, scales], [cast, helper.make_node("Mul", [f"{name}.levels", scales.name], [name])]
