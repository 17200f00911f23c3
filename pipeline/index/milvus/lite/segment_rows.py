"""The rows of one segment of Milvus Lite, in forms that a search uses without a Python loop over rows.

Milvus Lite holds each of its data files in memory as an immutable `Segment`. Its vectors are used where they are. The
additions take 8 bytes per row, and 4 more after the first filter on metadata or labels.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Iterator
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.index.milvus.row_validation import SEGMENT_FIELDS
from pipeline.index.milvus.stored_labels import taken_labels
from pipeline.index.protocol import Filter
from pipeline.io.arrow_arrays import numbers_of

__all__ = ["HIT_FIELDS", "Floats", "ForeignRowsError", "Mask", "Numbers", "RowSegment", "SegmentRows"]

HIT_FIELDS = ("key", *SEGMENT_FIELDS)
"""The fields of a hit."""

_TYPES = {
    "key": pa.string(),
    "video_id": pa.string(),
    "start_seconds": pa.float64(),
    "end_seconds": pa.float64(),
    "ordinal": pa.int64(),
    "metadata": pa.string(),
}
# Rows that several queries are multiplied with in turn: 512 kB for 512 dimensions, so that they stay in the L2 cache.
_BLOCK_ROWS = 256
# If less than one row in eight is selected, copying the selected rows is faster than multiplying all of them.
_FEW = 8
# For fewer hits, pyarrow's `take` is not used: its first call imports pandas, which takes half a second.
_FEW_HITS = 256
_NO_DOCUMENTS = np.empty(0, np.int32)

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class ForeignRowsError(ValueError):
    """A segment has content that momentseek does not write, so Milvus Lite itself must answer."""


class RowSegment(Protocol):
    """An immutable segment: Milvus Lite's own, or one that was read from its files.

    Attributes:
        table: The columns, without the vectors or with them.
        pks: The keys.
        seqs: The sequence numbers of the writes: uint64 (R,).
        vectors: float32 (R, D).
        vector_null_mask: Which rows have a vector; None if all of them do.
        pk_to_row: The number of each key's row.
    """

    table: pa.Table
    pks: list[str]
    seqs: npt.NDArray[np.uint64]
    vectors: Floats
    vector_null_mask: Mask | None
    pk_to_row: dict[str, int]

    @property
    def num_rows(self) -> int:
        """The number of rows."""


class SegmentRows:
    """The rows of one segment.

    Attributes:
        segment: The segment.

    Args:
        segment: A segment of a collection.

    Raises:
        ForeignRowsError: It has other columns, rows without vectors, or two rows with the same key.
    """

    def __init__(self, segment: RowSegment) -> None:
        self.segment = segment
        types = {field.name: field.type for field in segment.table.schema}
        if any(types.get(name) != expected for name, expected in _TYPES.items()):
            raise ForeignRowsError(f"the columns {types}")
        if segment.vector_null_mask is not None or len(segment.pk_to_row) != segment.num_rows:
            raise ForeignRowsError("rows without vectors, or two rows with the same key")

    def __len__(self) -> int:
        return int(self.segment.num_rows)

    def scores(self, queries: Floats, numbers: Numbers | None) -> Floats:
        """Compute the cosines of queries and rows.

        Args:
            queries: float32 (Q, D) of unit length.
            numbers: Numbers of the rows; None for all rows.

        Returns:
            float32 (Q, R) for R rows.
        """
        vectors, scales = self.segment.vectors, self._scales
        if numbers is None:
            return _products(queries, vectors) * scales
        if len(numbers) * _FEW < len(self):
            return _products(queries, vectors[numbers]) * scales[numbers]
        return (_products(queries, vectors) * scales)[:, numbers]

    def passing(self, where: Filter) -> Mask:
        """Return which rows pass a filter.

        Raises:
            ForeignRowsError: The metadata or labels of a row are not what momentseek writes.
        """
        passing = np.ones(len(self), bool)
        if where.video_ids:
            codes, numbers = self._videos
            is_wanted = np.zeros(len(numbers), bool)
            is_wanted[[numbers[video_id] for video_id in where.video_ids if video_id in numbers]] = True
            passing &= is_wanted[codes]
        if where.metadata or where.labels is not None:
            passing &= self._documents.passing(where)
        return passing

    def first_segments(self) -> Mask:
        """Return which rows are the first segment of their video."""
        return np.asarray(numbers_of(self.segment.table.column("ordinal")) == 0)

    def hits(self, numbers: Numbers) -> list[dict[str, Any]]:
        """Return the fields of a hit for some rows."""
        table = self.segment.table.select(HIT_FIELDS)
        if len(numbers) <= _FEW_HITS:
            columns = dict(zip(HIT_FIELDS, table.columns, strict=True))
            return [{name: column[number].as_py() for name, column in columns.items()} for number in numbers.tolist()]
        found: list[dict[str, Any]] = table.take(pa.array(numbers)).to_pylist()
        return found

    @cached_property
    def _scales(self) -> Floats:
        """The reciprocal lengths of the vectors: float32 (R,); 1 for a vector of length 0."""
        vectors = self.segment.vectors
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        return np.asarray(1.0 / np.where(lengths == 0, 1.0, lengths), np.float32)

    @cached_property
    def _videos(self) -> tuple[npt.NDArray[np.int32], dict[str, int]]:
        """The number of each row's video, and the number of each video."""
        codes, video_ids = _encoded(self.segment.table.column("video_id"))
        return codes, {video_id: number for number, video_id in enumerate(video_ids)}

    @cached_property
    def _documents(self) -> _Documents:
        return _Documents(self.segment.table.column("metadata"))


class _Documents:
    """The different contents of a `metadata` column, and which of them state what.

    All rows of a video have the same metadata, so there are few documents if the rows have no labels.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._codes, documents = _encoded(column.fill_null("{}"))
        self._count = len(documents)
        stating: defaultdict[Hashable, list[int]] = defaultdict(list)
        for number, document in enumerate(documents):
            for statement in _statements(document):
                stating[statement].append(number)
        self._stating = {statement: np.asarray(numbers, np.int32) for statement, numbers in stating.items()}

    def passing(self, where: Filter) -> Mask:
        """Return which rows pass the conditions on metadata and labels."""
        passing = np.ones(self._count, bool)
        for name, value in where.metadata.items():
            passing &= self._states("metadata", name, value)
        if (labels := where.labels) is not None:
            known = np.ones(self._count, bool)
            for name in labels.wanted:
                known &= self._states("some", labels.label_set, name)
            for name in labels.unwanted:
                known &= ~self._states("whole", labels.label_set, name)
            passing &= known | ~self._states("set", labels.label_set)
        return passing[self._codes]

    def _states(self, *statement: Hashable) -> Mask:
        mask = np.zeros(self._count, bool)
        mask[self._stating.get(statement, _NO_DOCUMENTS)] = True
        return mask


def _statements(document: str) -> Iterator[Hashable]:
    """Yield what a document states: its metadata, and its labels with their label set."""
    try:
        content = json.loads(document)
        labels = taken_labels(content)
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise ForeignRowsError(f"the metadata {document[:100]!r}") from error
    for name, value in content.items():
        # Python's equality, like Milvus Lite's: 1 equals 1.0 and true.
        if isinstance(value, str | int | float):
            yield "metadata", name, value
    if labels is not None:
        yield "set", labels.label_set
        for name in dict.fromkeys(labels.some):
            yield "some", labels.label_set, name
        for name in dict.fromkeys(labels.whole):
            yield "whole", labels.label_set, name


def _encoded(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], list[str]]:
    """Return the number of each row's text, and the different texts."""
    encoded = pa.concat_arrays(column.chunks or [pa.array([], column.type)]).dictionary_encode()
    return encoded.indices.to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist()


def _products(queries: Floats, vectors: Floats) -> Floats:
    """Compute the products of queries (Q, D) and vectors (R, D): float32 (Q, R).

    For few queries, this is limited by the memory's speed; NumPy's product of matrices takes twice as long.
    """
    products = np.empty((len(queries), len(vectors)), np.float32)
    rows = len(vectors) if len(queries) == 1 else _BLOCK_ROWS
    for first in range(0, len(vectors), rows or 1):
        block = slice(first, first + rows)
        for query, of_query in zip(queries, products, strict=True):
            np.dot(vectors[block], query, out=of_query[block])
    return products
