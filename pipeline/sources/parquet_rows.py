"""Read the rows of a flat Parquet file in small batches: a file of some kilobytes can claim gigabytes.

A dictionary page stores a long text once, and a page of indices repeats it a million times. Texts therefore stay in
their dictionary until their lengths have been checked, and all rows with the same value share one object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from pipeline.errors import SourceError
from pipeline.parsing import MOST_LINE_LENGTH, shown

__all__ = ["parquet_rows"]

# Arrow reads a column of a row group at once. Writers aim at 128 MiB for a whole row group.
_MAX_GROUP_BYTES = 2**29
_BATCH_ROWS = 1024


def parquet_rows(
    name: str, file: BinaryIO, check_columns: Callable[[Sequence[str]], None]
) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a file in order.

    Args:
        name: Name of the file in error messages.
        file: A seekable file.
        check_columns: Called with the names of the columns before any row is read.

    Raises:
        SourceError: The file is not Parquet, is damaged, has nested columns, or exceeds a limit.
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
                    f"{name}, column {shown(field.name)}: has the type {shown(str(field.type))}, but metadata must be"
                    " text, numbers, true or false; flatten it or leave the column out"
                )
        texts = [field.name for field in schema if _is_text(field.type)]
        with pq.ParquetFile(file, read_dictionary=texts, pre_buffer=False) as table:
            _check_groups(name, table.metadata)
            for batch in table.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
                yield from _rows(name, batch)
    except MemoryError as error:
        raise SourceError(f"{name}: its rows do not fit in memory; write the file with smaller row groups") from error
    except (pa.ArrowException, KeyError, OSError, OverflowError, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        cause = " ".join(str(error).split())[:200]
        raise SourceError(f"{name}: not a readable Parquet file ({cause}); write it again") from error


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    binary = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(is_kind(kind) for is_kind in binary)


def _check_groups(name: str, metadata: Any) -> None:
    for number in range(metadata.num_row_groups):
        size_bytes = metadata.row_group(number).total_byte_size
        if size_bytes > _MAX_GROUP_BYTES:
            raise SourceError(
                f"{name}: row group {number + 1} has {size_bytes:,} bytes, more than {_MAX_GROUP_BYTES:,}; write the"
                " file with smaller row groups"
            )


def _rows(name: str, batch: Any) -> Iterator[dict[str, Any]]:
    columns = [_values(name, batch.schema.names[number], column) for number, column in enumerate(batch.columns)]
    for values in zip(*columns, strict=True):
        if sum(len(value) for value in values if isinstance(value, str | bytes)) > MOST_LINE_LENGTH:
            raise SourceError(f"{name}: a row has more than {MOST_LINE_LENGTH:,} characters, which is not supported")
        yield dict(zip(batch.schema.names, values, strict=True))


def _values(name: str, column: str, array: Any) -> list[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(array.type):
        return list(array.to_pylist())
    dictionary = array.dictionary
    if _is_text(dictionary.type) and (pc.max(pc.binary_length(dictionary)).as_py() or 0) > MOST_LINE_LENGTH:
        raise SourceError(f"{name}, column {shown(column)}: a text of more than {MOST_LINE_LENGTH:,} bytes")
    values = dictionary.to_pylist()
    return [None if index is None else values[index] for index in array.indices.to_pylist()]
