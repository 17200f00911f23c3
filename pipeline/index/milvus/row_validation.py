"""Validation of rows that Milvus returns, since a folder from others or an unknown server may contain anything."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from pipeline.errors import MomentIndexError
from pipeline.index.milvus.stored_labels import taken_labels
from pipeline.index.protocol import Hit
from pipeline.index.quoted_text import shown
from pipeline.index.validation import check_metadata
from pipeline.types import IndexedSegment, Segment

__all__ = ["SEGMENT_FIELDS", "hit_of", "key_of", "row_of", "video_id_of"]

SEGMENT_FIELDS = ("video_id", "start_seconds", "end_seconds", "ordinal")

# The limits of the schema and of file names in the store.
_MAX_KEY_CHARACTERS = 256
_VIDEO_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_MAX_ORDINAL = 2**53


def key_of(row: Mapping[str, Any]) -> str:
    """Validate and return the key of a row.

    Raises:
        ValueError: The row has no valid key.
    """
    key = row.get("key")
    if isinstance(key, str) and 0 < len(key) <= _MAX_KEY_CHARACTERS:
        return key
    raise ValueError(f"a row has the key {shown(repr(key))}")


def video_id_of(row: Mapping[str, Any]) -> str:
    """Validate and return the video id of a row.

    Raises:
        ValueError: The row has no valid video id.
    """
    video_id = row.get("video_id")
    if isinstance(video_id, str) and _VIDEO_ID.fullmatch(video_id):
        return video_id
    raise ValueError(f"the row {shown(repr(row.get('key')))} has the video {shown(repr(video_id))}")


def hit_of(found: Mapping[str, Any]) -> Hit:
    """Validate a search result and return it as a `Hit`.

    Raises:
        ValueError: momentseek cannot have written the row.
    """
    row, score = found["entity"], found["distance"]
    if not _is_number(score):
        raise ValueError(f"the row {shown(repr(row.get('key')))} has the score {shown(repr(score))}")
    return Hit(key_of(row), _segment(row), float(score))


def row_of(row: Mapping[str, Any]) -> IndexedSegment:
    """Validate a row and return it with its vector, metadata and labels.

    Raises:
        TypeError, ValueError: momentseek cannot have written the row.
    """
    metadata = dict(row.get("metadata") or {})
    try:
        labels = taken_labels(metadata)
        check_metadata(metadata)
    except (MomentIndexError, ValueError) as error:
        raise ValueError(f"the row {shown(repr(row.get('key')))} has invalid metadata: {error}") from error
    vector = np.asarray(row["embedding"], np.float32)
    with np.errstate(all="ignore"):
        return IndexedSegment(key_of(row), _segment(row), vector, metadata, labels)


def _segment(row: Mapping[str, Any]) -> Segment:
    start, end, ordinal = (row.get(name) for name in SEGMENT_FIELDS[1:])
    is_count = _is_number(ordinal) and isinstance(ordinal, Integral) and 0 <= int(ordinal) <= _MAX_ORDINAL
    if not (_is_number(start) and _is_number(end) and is_count):
        times = shown(repr((start, end, ordinal)))
        raise ValueError(f"the row {shown(repr(row.get('key')))} has the times and ordinal {times}")
    return Segment(video_id_of(row), start, end, ordinal)  # type: ignore[arg-type]  # checked above


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
