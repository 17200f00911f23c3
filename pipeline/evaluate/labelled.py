"""Labelled moments in the form of QVHighlights: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError

__all__ = ["LabelledQuery", "read_labelled"]


@dataclass(frozen=True)
class LabelledQuery:
    """A question about a video, and where its answers are.

    Attributes:
        query_id: Unique in its set; "qid" in the file.
        text: The question; "query" in the file.
        video: The video's name, file name, path or id; "vid" in the file.
        windows: True [start, end) in seconds, at least one; "relevant_windows" in the file.
    """

    query_id: int | str
    text: str
    video: str
    windows: tuple[tuple[float, float], ...]


def read_labelled(path: str | Path) -> list[LabelledQuery]:
    """Read a set of labelled queries; other keys of a line are ignored.

    Raises:
        ConfigError: The file cannot be read or holds no query, or a line is not as it should be; it names the line.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the labelled set {str(path)!r} cannot be read: {error}") from error
    queries: dict[int | str, LabelledQuery] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            query = _query(json.loads(line))
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error
        if query.query_id in queries:
            raise ConfigError(f"{path}, line {number}: qid {query.query_id!r} was there before; each is given once")
        queries[query.query_id] = query
    if not queries:
        raise ConfigError(
            f"{path}: holds no query; expected lines as"
            ' {"qid": 1, "query": "a dog runs", "vid": "park", "relevant_windows": [[3.0, 7.5]]}'
        )
    return list(queries.values())


def _query(data: object) -> LabelledQuery:
    if not isinstance(data, dict):
        raise ValueError(f"expected a JSON object, got {data!r}")  # noqa: TRY004 - one kind of fault for the caller
    query_id = data.get("qid")
    if isinstance(query_id, bool) or not isinstance(query_id, int | str):
        raise ValueError(f"expected a number or text as qid, got {query_id!r}")  # noqa: TRY004 - as above
    windows = data.get("relevant_windows")
    if not isinstance(windows, list) or not windows:
        raise ValueError(f"expected at least one [start, end] in relevant_windows, got {windows!r}")
    return LabelledQuery(query_id, _text(data, "query"), _text(data, "vid"), tuple(map(_window, windows)))


def _text(data: Mapping[str, Any], key: str) -> str:
    text = data.get(key)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"expected a text as {key}, got {text!r}")
    return text.strip()


def _window(window: object) -> tuple[float, float]:
    if isinstance(window, list) and len(window) == 2 and all(_is_number(bound) for bound in window):
        start, end = float(window[0]), float(window[1])
        if 0 <= start < end < float("inf"):
            return start, end
    raise ValueError(f"expected [start, end] in seconds with 0 <= start < end, got {window!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
