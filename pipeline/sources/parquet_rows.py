"""Reads rows of a flat Parquet file in small batches: a file of some kilobytes can claim gigabytes.

A dictionary page holds a long text once, and a page of indices repeats it a million times. Texts therefore stay in
their dictionary until their lengths have been checked, and all rows that have one value share one object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from pipeline.errors import SourceError
from pipeline.parsing import MOST_LINE_LENGTH, shown

__all__ = ["parquet_rows"]

# Arrow reads a column's part of a group of rows at once. Writers aim at 128 MiB for a whole group.
_MOST_GROUP_BYTES = 2**29
_BATCH_ROWS = 1024


def parquet_rows(
    name: str, file: BinaryIO, check_columns: Callable[[Sequence[str]], None]
) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a file, in their order.

    Args:
        name: What to call the file in errors.
        file: Seekable.
        check_columns: Told the names of the columns before any row is read.

    Raises:
        SourceError: It is no Parquet file, is damaged, has nested columns, or exceeds a limit.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(file)
        file.seek(0)
        check_columns(schema.names)
        for field in schema:
            if pa.types.is_nested(field.type):
                raise SourceError(
                    f"{name}, column {shown(field.name)}: of the type {shown(str(field.type))}, where metadata is text,"
                    " numbers, true or false; flatten it or leave the column out"
                )
        texts = [field.name for field in schema if _is_text(field.type)]
        with pq.ParquetFile(file, read_dictionary=texts, pre_buffer=False) as table:
            _check_groups(name, table.metadata)
            for batch in table.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
                yield from _rows(name, batch)
    except MemoryError as error:
        raise SourceError(
            f"{name}: its rows do not fit in the memory; write it again with smaller row groups"
        ) from error
    except (pa.ArrowException, KeyError, OSError, OverflowError, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        cause = " ".join(str(error).split())[:200]
        raise SourceError(f"{name}: not a Parquet file that can be read ({cause}); write it again") from error


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    binary = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(is_kind(kind) for is_kind in binary)


def _check_groups(name: str, metadata: Any) -> None:
    for number in range(metadata.num_row_groups):
        size_bytes = metadata.row_group(number).total_byte_size
        if size_bytes > _MOST_GROUP_BYTES:
            raise SourceError(
                f"{name}: group {number + 1} of its rows has {size_bytes:,} bytes, more than {_MOST_GROUP_BYTES:,};"
                " write it again with smaller row groups"
            )


def _rows(name: str, batch: Any) -> Iterator[dict[str, Any]]:
    columns = [_values(name, batch.schema.names[place], column) for place, column in enumerate(batch.columns)]
    for values in zip(*columns, strict=True):
        if sum(len(value) for value in values if isinstance(value, str | bytes)) > MOST_LINE_LENGTH:
            raise SourceError(f"{name}: a row of more than {MOST_LINE_LENGTH:,} characters; no such row is read")
        yield dict(zip(batch.schema.names, values, strict=True))


def _values(name: str, column: str, array: Any) -> list[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(array.type):
        return list(array.to_pylist())
    known = array.dictionary
    if _is_text(known.type) and (pc.max(pc.binary_length(known)).as_py() or 0) > MOST_LINE_LENGTH:
        raise SourceError(f"{name}, column {shown(column)}: a text of more than {MOST_LINE_LENGTH:,} bytes")
    values = known.to_pylist()
    return [None if place is None else values[place] for place in array.indices.to_pylist()]
