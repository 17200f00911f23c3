"""Streaming writers of rows of named values as JSON Lines, CSV or Parquet."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any

__all__ = ["Columns", "csv_lines", "json_lines", "replacing", "write_parquet"]

Columns = Mapping[str, type]
"""The names and types of a row's values: str, int or float; each value may be None."""

_ROWS_AT_ONCE = 10_000


def json_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Format rows as JSON Lines, in ASCII; yield the lines."""
    for row in rows:
        yield f"{json.dumps(row)}\n"


def csv_lines(rows: Iterable[Mapping[str, Any]], columns: Columns) -> Iterator[str]:
    """Format rows as CSV (RFC 4180) with a header; yield the lines. None is an empty cell."""
    line = io.StringIO()
    writer = csv.DictWriter(line, list(columns))
    writer.writeheader()
    yield line.getvalue()
    for row in rows:
        line.seek(0)
        line.truncate()
        writer.writerow({name: _encodable(value) for name, value in row.items()})
        yield line.getvalue()


def write_parquet(file: IO[bytes], rows: Iterable[Mapping[str, Any]], columns: Columns) -> None:
    """Write rows as Parquet.

    Args:
        file: The file, open for writing; it stays open.
        rows: The rows; they are read in batches.
        columns: Columns of the file.

    Raises:
        OSError: The file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([pa.field(name, kinds[kind]) for name, kind in columns.items()])
    left = iter(rows)
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while some := list(islice(left, _ROWS_AT_ONCE)):
            values = {name: [_encodable(row[name]) for row in some] for name in columns}
            writer.write_table(pa.table(values, schema=schema))


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file that replaces `path` when the block ends without an error.

    Raises:
        OSError: The file cannot be written.
    """
    descriptor, partial = tempfile.mkstemp(prefix=f".{path.name[:50]}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        mask = os.umask(0)
        os.umask(mask)
        Path(partial).chmod(0o666 & ~mask)
        Path(partial).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(partial).unlink()
        raise


def _encodable(value: Any) -> Any:
    """Make text encodable as UTF-8: file names may contain other bytes."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value
