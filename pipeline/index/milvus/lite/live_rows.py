"""The live rows of a collection in Milvus Lite.

A write adds a segment with new versions of rows, or marks rows as deleted; old versions remain in their segments until
these are merged. For each question, Milvus Lite finds the live rows again in a Python loop over all rows. Here they are
found by the keys that two segments have in common.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.index.milvus.lite.segment_rows import Floats, Mask, Numbers, RowSegment, SegmentRows
from pipeline.index.protocol import Filter

__all__ = ["LiveRows", "Replaced", "live_rows", "replaced_rows"]

Replaced = tuple[Numbers, Numbers]
"""Of two segments, the numbers of the rows that the other one replaces."""


class LiveRows:
    """The live rows of a collection at one moment; a write does not change it.

    Args:
        parts: The segments, and which of their rows are live; None for all of them.
    """

    def __init__(self, parts: Sequence[tuple[SegmentRows, Mask | None]]) -> None:
        self._parts = parts

    def nearest(self, queries: Floats, top: int, where: Filter) -> list[list[dict[str, Any]]]:
        """Find the `top` nearest rows of each query, best first.

        Args:
            queries: float32 (Q, D), of any length but 0.
            top: Maximum number of rows for each query.
            where: Filter of the rows.

        Returns:
            For each query, the rows as Milvus Lite's `Collection.search` returns them.

        Raises:
            ForeignRowsError: Rows have metadata or labels that momentseek does not write.
        """
        queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        selected = [(rows, numbers) for rows, numbers in self._selected(where) if numbers is None or len(numbers)]
        if not selected:
            return [[] for _ in queries]
        scores = np.concatenate([rows.scores(queries, numbers) for rows, numbers in selected], axis=1)
        return [_hits(selected, of_query, _best(of_query, top)) for of_query in np.minimum(scores, 1.0)]

    def keys(self, where: Filter) -> list[str]:
        """Return the keys of the rows that pass a filter.

        Raises:
            ForeignRowsError: As for `nearest`.
        """
        keys: list[str] = []
        for rows, numbers in self._selected(where):
            all_keys = rows.segment.pks
            keys += all_keys if numbers is None else [all_keys[number] for number in numbers]
        return keys

    def count(self) -> int:
        """Count the rows."""
        return sum(len(rows) if live is None else int(live.sum()) for rows, live in self._parts)

    def first_count(self) -> int:
        """Count the rows that are the first segment of their video."""
        firsts = ((rows.first_segments(), live) for rows, live in self._parts)
        return sum(int((mask if live is None else mask & live).sum()) for mask, live in firsts)

    def _selected(self, where: Filter) -> Iterator[tuple[SegmentRows, Numbers | None]]:
        """Yield each segment and the numbers of the live rows that pass; None if all of its rows do."""
        for rows, live in self._parts:
            mask = live
            if where != Filter():
                passing = rows.passing(where)
                mask = passing if live is None else passing & live
            yield rows, None if mask is None else np.flatnonzero(mask)


def live_rows(
    segments: Mapping[int, SegmentRows], replaced: Mapping[tuple[int, int], Replaced], deleted: Mapping[str, int]
) -> LiveRows:
    """Find the live rows of segments.

    Args:
        segments: The segments, each under a number of its own.
        replaced: The rows that two segments replace in each other, by the numbers of the two.
        deleted: By key, the sequence number of its last deletion.
    """
    dead: dict[int, list[Numbers]] = {number: [_deleted(rows.segment, deleted)] for number, rows in segments.items()}
    for pair, both in replaced.items():
        for number, numbers in zip(pair, both, strict=True):
            dead[number].append(numbers)
    return LiveRows([(rows, _mask(len(rows), dead[number])) for number, rows in segments.items()])


def replaced_rows(one: RowSegment, other: RowSegment) -> Replaced:
    """Find the rows that two segments replace in each other: those with a common key and the lower sequence number."""
    common = one.pk_to_row.keys() & other.pk_to_row.keys()
    rows = np.asarray([one.pk_to_row[key] for key in common], np.int64)
    other_rows = np.asarray([other.pk_to_row[key] for key in common], np.int64)
    sequences, other_sequences = one.seqs[rows], other.seqs[other_rows]
    return rows[sequences < other_sequences], other_rows[other_sequences < sequences]


def _deleted(segment: RowSegment, deleted: Mapping[str, int]) -> Numbers:
    """Return the rows of a segment that were deleted after they were written."""
    common = segment.pk_to_row.keys() & deleted.keys()
    rows: Numbers = np.asarray([segment.pk_to_row[key] for key in common], np.int64)
    deleted_at = np.asarray([deleted[key] for key in common], np.uint64)
    after: Numbers = rows[segment.seqs[rows] < deleted_at]
    return after


def _mask(count: int, dead: Sequence[Numbers]) -> Mask | None:
    """Return which rows are live; None if all of them are."""
    numbers = np.concatenate(dead)
    if not len(numbers):
        return None
    live = np.ones(count, bool)
    live[numbers] = False
    return live


def _best(scores: Floats, top: int) -> Numbers:
    """Return the positions of the `top` largest scores, largest first."""
    if top < len(scores):
        best = np.argpartition(-scores, top - 1)[:top]
        return best[np.argsort(-scores[best], kind="stable")]
    return np.argsort(-scores, kind="stable")


def _hits(
    selected: Sequence[tuple[SegmentRows, Numbers | None]], scores: Floats, positions: Numbers
) -> list[dict[str, Any]]:
    """Return the rows at some positions among all selected ones, with their scores."""
    found: list[dict[str, Any]] = [{} for _ in positions]
    first = 0
    for rows, numbers in selected:
        end = first + (len(rows) if numbers is None else len(numbers))
        places = np.flatnonzero((positions >= first) & (positions < end))
        if len(places):
            among = positions[places] - first
            fields = rows.hits(among if numbers is None else numbers[among])
            for place, entity in zip(places, fields, strict=True):
                score = float(scores[positions[place]])
                found[place] = {"id": entity["key"], "distance": score, "entity": entity}
        first = end
    return found
