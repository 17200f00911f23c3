from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from pipeline.io.arrow_arrays import numbers_of, vectors_of

VECTORS = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(24, dtype=np.float32)), 4)


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64(), pa.float64(), pa.float32()])
def test_numbers(kind: pa.DataType) -> None:
    column = pa.chunked_array([pa.array([1, 2, 3], kind), pa.array([], kind), pa.array([4], kind)])
    for given, expected in (
        (column, [1, 2, 3, 4]),
        (column.slice(1, 2), [2, 3]),
        (column.chunk(0).slice(2), [3]),
        (pa.chunked_array([], kind), []),
    ):
        found = numbers_of(given)
        assert found.dtype == kind.to_pandas_dtype()
        assert found.tolist() == expected


def test_vectors() -> None:
    for given, expected in (
        (VECTORS, range(24)),
        (VECTORS.slice(2, 3), range(8, 20)),
        (pa.chunked_array([VECTORS.slice(4), VECTORS.slice(1, 1)]), [*range(16, 24), *range(4, 8)]),
        (pa.chunked_array([], VECTORS.type), []),
    ):
        found = vectors_of(given)
        assert (found.dtype, found.shape[1]) == (np.float32, 4)
        assert found.ravel().tolist() == list(expected)


def test_a_column_of_one_chunk_is_not_copied() -> None:
    assert vectors_of(VECTORS).ctypes.data == VECTORS.values.buffers()[1].address


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2)),
        pa.array([[1.0, 2.0], [None, 3.0]], pa.list_(pa.float32(), 2)),
    ],
)
def test_missing_vectors_and_numbers_are_refused(column: pa.Array) -> None:
    with pytest.raises(ValueError, match="missing"):
        vectors_of(column)
    with pytest.raises(ValueError, match="missing"):
        numbers_of(pa.chunked_array([pa.array([1, None], pa.int64())]))


def test_pandas_is_not_imported() -> None:
    program = (
        "import sys, numpy as np, pyarrow as pa\n"
        "from pipeline.io.arrow_arrays import numbers_of, vectors_of\n"
        "numbers = pa.Array.from_buffers(pa.float32(), 4, [None, pa.py_buffer(bytes(16))])\n"
        "vectors = pa.FixedSizeListArray.from_arrays(numbers, 2)\n"
        "assert numbers_of(pa.chunked_array([numbers, numbers])).shape == (8,)\n"
        "assert vectors_of(pa.chunked_array([vectors, vectors.slice(1)])).shape == (3, 2)\n"
        "print([name for name in ('pandas', 'pyarrow.compute') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
