"""Checks ONNX files before they are loaded: only standard operators, and no weights outside the file.

ONNX Runtime runs no code from a model file, but it would read weights from other files that the model refers to. An
exported tower has no such weights. The check traverses the file's protobuf messages without decoding the weights, so it
is fast for large files, too. The field numbers are those of onnx.proto
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pipeline.errors import EncoderError

__all__ = ["check_onnx"]

Span = tuple[int, int]

_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS = 5, 10
_ATTRIBUTE_GRAPHS = (6, 11)
_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 13, 14
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_STANDARD_DOMAINS = (b"", b"ai.onnx")


class _Field(NamedTuple):
    number: int
    span: Span
    value: int


def check_onnx(content: memoryview | bytes) -> None:
    """Reject a model that is not a plain graph of standard operators with all weights in the file.

    Raises:
        EncoderError: The file is truncated or not ONNX; the model has functions, subgraphs, sparse weights or operators
            of other domains; or it refers to weights in another file.
    """
    data = memoryview(content)
    graphs = 0
    for part in _fields(data, (0, len(data))):
        if part.number == _MODEL_FUNCTIONS:
            raise EncoderError("its model defines functions")
        if part.number == _MODEL_GRAPH:
            graphs += 1
            _check_graph(data, part.span)
    if graphs != 1:
        raise EncoderError("it is not an ONNX model")


def _check_graph(data: memoryview, graph: Span) -> None:
    for part in _fields(data, graph):
        if part.number == _GRAPH_INITIALIZER:
            _check_tensor(data, part.span)
        elif part.number == _GRAPH_SPARSE:
            raise EncoderError("its model has sparse weights")
        elif part.number == _GRAPH_NODE:
            _check_node(data, part.span)


def _check_node(data: memoryview, node: Span) -> None:
    for part in _fields(data, node):
        if part.number == _NODE_DOMAIN and bytes(data[slice(*part.span)]) not in _STANDARD_DOMAINS:
            raise EncoderError("its model has non-standard operators")
        if part.number != _NODE_ATTRIBUTE:
            continue
        for value in _fields(data, part.span):
            if value.number in _ATTRIBUTE_GRAPHS:
                raise EncoderError("its model has subgraphs")
            if value.number in (_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS):
                _check_tensor(data, value.span)


def _check_tensor(data: memoryview, tensor: Span) -> None:
    for part in _fields(data, tensor):
        if part.number == _TENSOR_EXTERNAL_DATA or (part.number == _TENSOR_DATA_LOCATION and part.value):
            raise EncoderError("its model refers to weights in another file")


def _fields(data: memoryview, span: Span) -> Iterator[_Field]:
    """Yield the fields of a message: `span` is the position of the content, `value` the value of a varint field."""
    position, end = span
    while position < end:
        key, position = _varint(data, position, end)
        kind, value, first = key & 7, 0, position
        if kind == _VARINT:
            value, position = _varint(data, position, end)
        elif kind == _BYTES:
            length, first = _varint(data, position, end)
            position = first + length
        elif kind in (_FIXED64, _FIXED32):
            position += 8 if kind == _FIXED64 else 4
        else:
            raise EncoderError("it is not an ONNX model")
        if position > end:
            raise EncoderError("it is truncated")
        yield _Field(key >> 3, (first, position), value)


def _varint(data: memoryview, position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while position < end and shift < 64:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
    raise EncoderError("it is truncated, or not an ONNX model")
