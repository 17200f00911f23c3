"""Columns of Arrow tables as NumPy arrays, without pandas.

If pandas is installed, pyarrow imports it in `ChunkedArray.to_numpy` and `take` (half a second), and `flatten` and
`take` import pyarrow's compute functions. These conversions need neither, and do not copy a column of one chunk.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["numbers_of", "vectors_of"]


def numbers_of(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[Any]:
    """Return a column of numbers as a read-only array of the same type: (N,).

    Raises:
        ValueError: A number is missing.
    """
    return _joined(_chunks(column), column.type)


def vectors_of(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.float32]:
    """Return a column of lists of D float32 numbers each as a read-only array: float32 (N, D).

    Raises:
        ValueError: A vector or a number is missing.
    """
    dimension = column.type.list_size
    # `values` ignores the offset of a slice.
    parts = [chunk.values.slice(chunk.offset * dimension, len(chunk) * dimension) for chunk in _chunks(column)]
    return _joined(parts, column.type.value_type).reshape(-1, dimension)


def _chunks(column: pa.ChunkedArray | pa.Array) -> list[pa.Array]:
    if column.null_count:
        raise pa.ArrowInvalid("a value is missing")
    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]


def _joined(chunks: list[pa.Array], kind: pa.DataType) -> npt.NDArray[Any]:
    if any(chunk.null_count for chunk in chunks):
        raise pa.ArrowInvalid("a number is missing")
    parts = [np.from_dlpack(chunk) for chunk in chunks]
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, kind.to_pandas_dtype()), *parts])
