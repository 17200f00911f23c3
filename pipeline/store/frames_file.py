"""Columns of a frames file (Parquet), written and read in row groups so that memory holds the vectors only once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.io.arrow_arrays import numbers_of, vectors_of
from pipeline.store.checksum import CHECKSUM_KEY, mark, seal
from pipeline.types import FrameEmbeddings

__all__ = ["Columns", "check_memory", "check_size", "read_columns", "read_pts", "read_some_vectors", "write_frames"]

# 8 MiB of vectors with 512 dimensions. More rows per group cost memory and do not make the file smaller.
_GROUP_ROWS = 4096
_RELEASED_BYTES = 4 * 2**20
"""Vectors of this size and more are read without keeping memory. For smaller files, that would take most of the time:
each read would have to get new memory from the system."""
_MAX_DIMENSION = 2**16
"""Maximum length of an embedding; indexes do not take longer ones (Milvus: 32,768)."""
_COLUMN_TYPES = {"time_seconds": pa.float64(), "pts": pa.int64(), "seen_until_seconds": pa.float64()}


@dataclass(frozen=True)
class Columns:
    """The columns of a frames file; see `FrameEmbeddings`."""

    pts: npt.NDArray[np.int64]
    times_seconds: npt.NDArray[np.float64]
    vectors: npt.NDArray[np.float32]
    seen_until_seconds: npt.NDArray[np.float64] | None


def write_frames(file: IO[bytes], frames: FrameEmbeddings, metadata: Mapping[bytes, bytes]) -> None:
    """Write a frames file, row group by row group, and its checksum.

    Args:
        file: A file that is open for reading and writing; it stays open.
        frames: The columns; contiguous float32 vectors are not copied.
        metadata: Metadata of the file.

    Raises:
        OSError: The file could not be written.
    """
    fields = [
        pa.field("time_seconds", pa.float64()),
        pa.field("pts", pa.int64()),
        pa.field("embedding", pa.list_(pa.float32(), frames.vectors.shape[1])),
    ]
    if frames.seen_until_seconds is not None:
        fields.append(pa.field("seen_until_seconds", pa.float64()))
    schema = pa.schema(fields, metadata=dict(metadata))
    placeholder = mark()
    # Measured on 7,200 x 512: byte stream split with zstd takes 77 % of the plain size, at the same speed.
    with pq.ParquetWriter(
        file,
        schema,
        compression="zstd",
        use_dictionary=False,
        use_byte_stream_split=["embedding.list.element"],
        write_page_checksum=True,
    ) as writer:
        for first in range(0, len(frames), _GROUP_ROWS):
            rows = slice(first, first + _GROUP_ROWS)
            vectors = np.ascontiguousarray(frames.vectors[rows], np.float32)
            columns = [
                pa.array(frames.times_seconds[rows], pa.float64()),
                pa.array(frames.pts[rows], pa.int64()),
                pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), type=schema.field("embedding").type),
            ]
            if frames.seen_until_seconds is not None:
                columns.append(pa.array(frames.seen_until_seconds[rows], pa.float64()))
            writer.write_table(pa.table(columns, schema=schema))
            _release_unused_memory()
        writer.add_key_value_metadata({CHECKSUM_KEY: placeholder})
    seal(file, placeholder)


def check_size(parquet: pq.ParquetFile, schema: pa.Schema) -> None:
    """Reject a file whose columns are not those of `write_frames`, or need more memory than this machine has.

    This protects against small hostile files: a few kilobytes of Parquet can decode to any number of rows.

    Args:
        parquet: The file.
        schema: Its schema, which `parquet` would convert again.

    Raises:
        KeyError: A column is missing.
        ValueError: A column has another type, or there is not enough memory.
    """
    kind = schema.field("embedding").type
    if not pa.types.is_fixed_size_list(kind) or kind.value_type != pa.float32():
        raise ValueError(f"its embeddings have type {kind}")
    if not 1 <= kind.list_size <= _MAX_DIMENSION:
        raise ValueError(f"its embeddings have {kind.list_size} dimensions; expected 1 to {_MAX_DIMENSION}")
    for name, expected in _COLUMN_TYPES.items():
        if (name in schema.names or name != "seen_until_seconds") and schema.field(name).type != expected:
            raise ValueError(f"its column {name} has type {schema.field(name).type}, not {expected}")
    check_memory(parquet.metadata.num_rows, 4 * kind.list_size + 8 * len(_COLUMN_TYPES))


def check_memory(frames: int, frame_bytes: int) -> None:
    """Refuse frames that need more memory than this machine has.

    Raises:
        ValueError: They need more.
    """
    needed = frames * frame_bytes
    if needed > _memory_bytes():
        raise ValueError(f"its {frames} frames need {needed / 2**30:.1f} GiB, more than this machine's memory")


def read_columns(parquet: pq.ParquetFile, schema: pa.Schema) -> Columns:
    """Read all columns of a file that passed `check_size`; a file with a single large row group is accepted, too.

    Raises:
        ValueError: The columns contain nulls, or the number of rows is wrong.
        ArrowException: The file is damaged.
        OSError: The file cannot be read.
    """
    kind = schema.field("embedding").type
    count = parquet.metadata.num_rows
    columns = Columns(
        pts=np.empty(count, np.int64),
        times_seconds=np.empty(count, np.float64),
        vectors=np.empty((count, kind.list_size), np.float32),
        seen_until_seconds=np.empty(count, np.float64) if "seen_until_seconds" in schema.names else None,
    )
    first = 0
    for number in range(parquet.num_row_groups):
        for batch in parquet.read_row_group(number, use_threads=False).to_batches():
            rows = slice(first, first + len(batch))
            columns.pts[rows] = numbers_of(batch["pts"])
            columns.times_seconds[rows] = numbers_of(batch["time_seconds"])
            columns.vectors[rows] = vectors_of(batch["embedding"])
            if columns.seen_until_seconds is not None:
                columns.seen_until_seconds[rows] = numbers_of(batch["seen_until_seconds"])
            first += len(batch)
        if columns.vectors.nbytes >= _RELEASED_BYTES:
            _release_unused_memory()
    if first != count:
        raise ValueError(f"it has {first} rows instead of {count}")
    return columns


def read_pts(parquet: pq.ParquetFile) -> tuple[npt.NDArray[np.int64], int]:
    """Read the timestamps of a file's frames, int64 (N,), and the dimension of its embeddings, without the embeddings.

    Raises:
        KeyError, ArrowException, OSError: The file is damaged, or cannot be read.
    """
    pts: npt.NDArray[np.int64] = numbers_of(parquet.read(columns=["pts"])["pts"])
    return pts, parquet.schema_arrow.field("embedding").type.list_size


def read_some_vectors(parquet: pq.ParquetFile, limit: int, seed: int) -> npt.NDArray[np.float32]:
    """Read the vectors of up to `limit` frames, evenly spread over one row group, which the seed selects.

    Returns:
        float32 (M, D).

    Raises:
        KeyError, ArrowException, OSError: The file is damaged, or cannot be read.
    """
    dimension = parquet.schema_arrow.field("embedding").type.list_size
    if not parquet.num_row_groups:
        return np.empty((0, dimension), np.float32)
    column = parquet.read_row_group(seed % parquet.num_row_groups, columns=["embedding"])["embedding"]
    rows = np.unique(np.linspace(0, len(column) - 1, limit).round().astype(np.int64))
    return vectors_of(column)[rows]


def _memory_bytes() -> int:
    """Return the size of this machine's physical memory, used and unused."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _release_unused_memory() -> None:
    """Return freed memory to the system; otherwise Arrow's allocator grows by 40 MiB as it writes 72 MiB of vectors."""
    pa.default_memory_pool().release_unused()
