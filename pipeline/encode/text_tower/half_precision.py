"""Converts an ONNX model's weights to half precision; the model still computes in single precision."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

__all__ = ["with_half_weights"]

_MIN_VALUES = 1024
"""Smaller weights (biases, scales of normalisations) are not converted: together they take less than 1 %."""
_LARGEST = float(np.finfo(np.float16).max)


def with_half_weights(model: Any) -> Any:
    """Store large weights as float16, with a Cast to float32; in an embedding table, only looked-up rows are cast.

    Weights that exceed the range of float16 are not converted.

    Args:
        model: An `onnx.ModelProto`, which is changed in place.

    Returns:
        The same model.
    """
    import onnx
    from onnx import helper, numpy_helper

    graph = model.graph
    users: dict[str, list[tuple[Any, int]]] = defaultdict(list)
    for node in graph.node:
        for position, name in enumerate(node.input):
            users[name].append((node, position))
    casts_first: list[Any] = []
    casts_after: dict[str, Any] = {}
    for weight in graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or int(np.prod(weight.dims)) < _MIN_VALUES:
            continue
        values = numpy_helper.to_array(weight)
        if not max(values.max(), -values.min()) <= _LARGEST:
            continue
        name = weight.name
        is_table = all(node.op_type == "Gather" and position == 0 for node, position in users[name])
        half = name if is_table else f"{name}_half"
        # In place, since each copy of a large tensor takes as long as its conversion.
        weight.name, weight.data_type = half, onnx.TensorProto.FLOAT16
        weight.raw_data = values.astype("<f2").tobytes()
        weight.ClearField("float_data")
        if not is_table:
            casts_first.append(helper.make_node("Cast", [half], [name], to=onnx.TensorProto.FLOAT))
            continue
        for node, _ in users[name]:
            result = node.output[0]
            node.output[0] = f"{result}_half"
            cast = helper.make_node("Cast", [node.output[0]], [result], to=onnx.TensorProto.FLOAT)
            casts_after[node.output[0]] = cast
    nodes = [*casts_first]
    for node in graph.node:
        nodes += [node, *(casts_after[name] for name in node.output if name in casts_after)]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    # These are the types before the conversion.
    del graph.value_info[:]
    return model
