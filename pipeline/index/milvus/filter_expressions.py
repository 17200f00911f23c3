"""Filters of hits as Milvus's filter expressions, and back.

Milvus Lite evaluates an expression on `metadata` row by row in Python, which takes eight seconds for 100,000 rows. The
process that holds a Milvus Lite folder therefore recovers the filter from the expression and evaluates it itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pipeline.index.milvus.stored_labels import LABELS_ENTRY
from pipeline.index.protocol import Filter, LabelFilter

__all__ = ["FIRST_SEGMENTS", "expression_of", "filter_in", "literal"]

FIRST_SEGMENTS = "ordinal == 0"
"""The expression that the first segment of each video passes."""

_LABELS = f'metadata["{LABELS_ENTRY}"]'
_UNKNOWN = f'((not exists {_LABELS}) or ({_LABELS}["set"] != '
_WANTED = f'json_contains({_LABELS}["some"], '
_UNWANTED = f'not json_contains({_LABELS}["whole"], '
_ANY_LABELS = "ordinal >= 0"
_AND = " and "


def expression_of(where: Filter) -> str:
    """Write a filter as an expression, with escaped literals since Milvus Lite has no filter templates."""
    parts = [f"metadata[{literal(name)}] == {literal(value)}" for name, value in where.metadata.items()]
    if where.video_ids:
        parts.insert(0, f"video_id in {literal(list(where.video_ids))}")
    if where.labels is not None:
        parts.append(_label_expression(where.labels))
    return _AND.join(parts)


def filter_in(expression: str) -> Filter | None:
    """Recover a filter from its expression; None for an expression that `expression_of` does not write."""
    try:
        where = _Parser(expression).filter()
    except (ValueError, TypeError, RecursionError):
        return None
    return where if expression_of(where) == expression else None


def literal(value: object) -> str:
    """Write a value as a literal of a filter expression."""
    return json.dumps(value, ensure_ascii=False)


def _label_expression(where: LabelFilter) -> str:
    """Write a condition on labels as an expression.

    Rows without the entry are let through by `exists`: for them, `!=` and `not (... == ...)` are true on a server
    (2.3.5) and false in Milvus Lite (3.2.2). A server wants `not exists` in parentheses.
    """
    parts = [f"{_WANTED}{literal(name)})" for name in where.wanted]
    parts += [f"{_UNWANTED}{literal(name)})" for name in where.unwanted]
    return f"{_UNKNOWN}{literal(where.label_set)}) or ({_AND.join(parts) or _ANY_LABELS}))"


class _Parser:
    """Reads the parts of an expression; it accepts more than `expression_of` writes."""

    _values = json.JSONDecoder()

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def filter(self) -> Filter:
        video_ids: tuple[str, ...] = ()
        metadata = {}
        labels = None
        while self._position < len(self._text):
            if self._skip("video_id in "):
                video_ids = tuple(self._value())
            elif self._skip("metadata["):
                name = self._value()
                self._expect("] == ")
                metadata[name] = self._value()
            else:
                labels = self._labels()
            self._skip(_AND)
        return Filter(video_ids, metadata, labels)

    def _labels(self) -> LabelFilter:
        self._expect(_UNKNOWN)
        label_set = self._value()
        self._expect(") or (")
        wanted = tuple(self._names(_WANTED))
        unwanted = tuple(self._names(_UNWANTED))
        if not wanted and not unwanted:
            self._expect(_ANY_LABELS)
        self._expect("))")
        return LabelFilter(label_set, wanted, unwanted)

    def _names(self, opening: str) -> Iterator[str]:
        while self._skip(opening):
            yield self._value()
            self._expect(")")
            self._skip(_AND)

    def _value(self) -> Any:
        value, self._position = self._values.raw_decode(self._text, self._position)
        return value

    def _skip(self, text: str) -> bool:
        if not self._text.startswith(text, self._position):
            return False
        self._position += len(text)
        return True

    def _expect(self, text: str) -> None:
        if not self._skip(text):
            raise ValueError(f"expected {text!r} at {self._position}")
