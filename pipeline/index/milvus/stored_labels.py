"""Labels of rows in Milvus: an entry of the JSON field `metadata`, under a name that no metadata can have.

A collection's schema cannot change, and collections from before labels go on as they are. So the labels of a segment
lie beside the metadata of its video: {"camera": "gate", "@labels": {"set": ..., "some": [...], "whole": [...]}}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pipeline.index.protocol import LabelFilter
from pipeline.index.quoted_text import shown
from pipeline.types import IndexedSegment, SegmentLabels

__all__ = ["label_expression", "literal", "stored_metadata", "taken_labels"]

# A name of metadata begins with a letter, a digit or _.
_ENTRY = "@labels"
_FIELD = f'metadata["{_ENTRY}"]'


def stored_metadata(row: IndexedSegment) -> dict[str, Any]:
    """The content of a row's JSON field: its metadata, and its labels if it has any."""
    if row.labels is None:
        return dict(row.metadata)
    labels = {"set": row.labels.label_set, "some": list(row.labels.some), "whole": list(row.labels.whole)}
    return {**row.metadata, _ENTRY: labels}


def taken_labels(metadata: dict[str, Any]) -> SegmentLabels | None:
    """Take the labels out of the content of a row's JSON field, and validate them; None where there are none.

    Raises:
        ValueError: They are not what momentseek writes.
    """
    if _ENTRY not in metadata:
        return None
    entry = metadata.pop(_ENTRY)
    if not isinstance(entry, Mapping) or entry.keys() != {"set", "some", "whole"} or not isinstance(entry["set"], str):
        raise ValueError(f"the labels {shown(repr(entry))}")
    lists = entry["some"], entry["whole"]
    if not all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in lists):
        raise ValueError(f"the labels {shown(repr(entry))}")
    return SegmentLabels(entry["set"], tuple(entry["some"]), tuple(entry["whole"]))


def label_expression(where: LabelFilter) -> str:
    """Milvus's filter expression of a condition on labels.

    Rows without the entry are let through by `exists`: for them, `!=` and `not (... == ...)` are true on a server
    (2.3.5) and false in Milvus Lite (3.2.2). A server wants `not exists` in parentheses.
    """
    parts = [f'json_contains({_FIELD}["some"], {literal(name)})' for name in where.wanted]
    parts += [f'not json_contains({_FIELD}["whole"], {literal(name)})' for name in where.unwanted]
    known = " and ".join(parts) or "ordinal >= 0"
    return f'((not exists {_FIELD}) or ({_FIELD}["set"] != {literal(where.label_set)}) or ({known}))'


def literal(value: object) -> str:
    """Write a value as a literal of a filter expression."""
    return json.dumps(value, ensure_ascii=False)
