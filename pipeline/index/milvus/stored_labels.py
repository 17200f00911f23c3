"""Labels of rows in Milvus: an entry of the JSON field `metadata`, under a name that no metadata can have.

A collection's schema cannot change, and collections from before labels go on as they are. So the labels of a segment
lie beside the metadata of its video: {"camera": "gate", "@labels": {"set": ..., "some": [...], "whole": [...]}}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.index.quoted_text import shown
from pipeline.types import IndexedSegment, SegmentLabels

__all__ = ["LABELS_ENTRY", "stored_metadata", "taken_labels"]

LABELS_ENTRY = "@labels"
"""Name of the entry. A name of metadata begins with a letter, a digit or _."""


def stored_metadata(row: IndexedSegment) -> dict[str, Any]:
    """The content of a row's JSON field: its metadata, and its labels if it has any."""
    if row.labels is None:
        return dict(row.metadata)
    labels = {"set": row.labels.label_set, "some": list(row.labels.some), "whole": list(row.labels.whole)}
    return {**row.metadata, LABELS_ENTRY: labels}


def taken_labels(metadata: dict[str, Any]) -> SegmentLabels | None:
    """Take the labels out of the content of a row's JSON field, and validate them; None where there are none.

    Raises:
        ValueError: They are not what momentseek writes.
    """
    if LABELS_ENTRY not in metadata:
        return None
    entry = metadata.pop(LABELS_ENTRY)
    if not isinstance(entry, Mapping) or entry.keys() != {"set", "some", "whole"} or not isinstance(entry["set"], str):
        raise ValueError(f"the labels {shown(repr(entry))}")
    lists = entry["some"], entry["whole"]
    if not all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in lists):
        raise ValueError(f"the labels {shown(repr(entry))}")
    return SegmentLabels(entry["set"], tuple(entry["some"]), tuple(entry["whole"]))
