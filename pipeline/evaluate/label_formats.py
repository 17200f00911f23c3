"""Readers of labelled sets: QVHighlights, Charades-STA and ActivityNet Captions, detected by content.

- QVHighlights (arXiv:2107.09609): one JSON object per line, see `pipeline.evaluate.labels`.
- Charades-STA (Gao et al. 2017, arXiv:1705.02101): lines as `AO8RW 0.0 6.9##a person opens a door.`
- ActivityNet Captions (Krishna et al. 2017, arXiv:1705.00754): one JSON object,
  `{"v_abc": {"duration": 82.7, "timestamps": [[0.8, 19.9]], "sentences": ["A man runs."]}}`.

Both Charades-STA and ActivityNet Captions contain a few moments that end before they start. These are left out and
reported.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError
from pipeline.evaluate.labels import LabelledQuery, query_of_line
from pipeline.parsing import MOST_JSON_BYTES, MOST_LINE_LENGTH, is_unicode, parse_json, read_bytes, shown

__all__ = [
    "LabelledSet",
    "filled_lines",
    "label_file_text",
    "labelled_set_in",
    "read_labelled",
    "read_labelled_set",
]

_log = logging.getLogger(__name__)

_CHARADES = re.compile(r"(?P<video>\S+)\s+(?P<start>\S+)\s+(?P<end>\S+?)\s*##(?P<text>.*)")
_EXAMPLES = (
    'lines as {"qid": 1, "query": "a dog runs", "vid": "park", "relevant_windows": [[3.0, 7.5]]}'
    " (QVHighlights), lines as AO8RW 0.0 6.9##a person opens a door. (Charades-STA), or one object as"
    ' {"v_abc": {"duration": 82.7, "timestamps": [[0.8, 19.9]], "sentences": ["A man runs."]}} (ActivityNet Captions)'
)


@dataclass(frozen=True)
class LabelledSet:
    """The content of a labelled set.

    Attributes:
        form: "QVHighlights", "Charades-STA" or "ActivityNet Captions".
        queries: The queries, in the order of the file.
        left_out: Places of moments that end before they start and were left out, such as "line 12".
    """

    form: str
    queries: tuple[LabelledQuery, ...]
    left_out: tuple[str, ...] = ()


def read_labelled(path: str | Path) -> list[LabelledQuery]:
    """Read the queries of a labelled set; see `read_labelled_set`."""
    return list(read_labelled_set(path).queries)


def read_labelled_set(path: str | Path) -> LabelledSet:
    """Read a labelled set in any of the three formats.

    Raises:
        ConfigError: The file cannot be read, has no known format or no query, or a line or entry is invalid; the
            message names file and line (or video), and what was expected.
    """
    return labelled_set_in(label_file_text(path), path)


def label_file_text(path: str | Path) -> str:
    """Read the text of a label file, with its line ends converted to line feeds.

    Raises:
        ConfigError: The file cannot be read, is too large, or is not UTF-8.
    """
    try:
        return read_bytes(path, MOST_JSON_BYTES).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except (OSError, ValueError) as error:
        raise ConfigError(f"the labelled set {str(path)!r} cannot be read: {error}") from error


def labelled_set_in(text: str, path: str | Path) -> LabelledSet:
    """Parse the text of a labelled set.

    Args:
        text: Content of the file, as returned by `label_file_text`.
        path: Name of the file; its suffix is also used to detect the format.

    Raises:
        ConfigError: As for `read_labelled_set`.
    """
    left_out: list[str] = []
    form = _form(text, Path(path).suffix.lower())
    if form == "QVHighlights":
        found = _qvhighlights(text, str(path))
    elif form == "Charades-STA":
        found = _charades(text, str(path), left_out)
    elif form == "ActivityNet Captions":
        found = _activitynet(text, str(path), left_out)
    else:
        raise ConfigError(f"{path}: not a labelled set of a known format; expected {_EXAMPLES}")
    queries = tuple(found)
    if not queries:
        raise ConfigError(f"{path}: contains no query; expected {_EXAMPLES}")
    if left_out:
        _log.warning("%s: %d moments that end before they start are left out: %s", path, len(left_out), left_out[:5])
    return LabelledSet(form, queries, tuple(left_out))


def _form(text: str, suffix: str) -> str | None:
    """Detect the format of a file by its first line or, if that is not sufficient, by its suffix."""
    first = next((line.strip() for line in _lines(text) if line.strip()), "")
    if suffix == ".jsonl" or not first:
        return "QVHighlights"
    if not first.startswith("{"):
        is_lines = "##" in first or suffix == ".txt"
        return "Charades-STA" if is_lines else "QVHighlights" if suffix != ".json" else None
    try:
        start = parse_json(first, most_bytes=MOST_JSON_BYTES)
    except ValueError:
        # The first line of an object that extends over several lines, or of a broken one.
        return "ActivityNet Captions" if suffix == ".json" or first == "{" else "QVHighlights"
    is_captions = bool(start) and all(isinstance(value, dict) for value in start.values())
    return "ActivityNet Captions" if is_captions else "QVHighlights"


def _lines(text: str) -> list[str]:
    """Split at line feeds only. JSON may contain other characters that Python treats as line ends, such as U+2028."""
    return text.split("\n")


def filled_lines(text: str, path: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank with their numbers.

    Raises:
        ConfigError: A line is too long.
    """
    for number, line in enumerate(_lines(text), start=1):
        if len(line) > MOST_LINE_LENGTH:
            raise ConfigError(f"{path}, line {number}: more than {MOST_LINE_LENGTH:,} characters; no such line is read")
        if line.strip():
            yield number, line


def _qvhighlights(text: str, path: str) -> Iterator[LabelledQuery]:
    seen: set[int | str] = set()
    for number, line in filled_lines(text, path):
        try:
            query = query_of_line(line)
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error
        if query.query_id in seen:
            raise ConfigError(f"{path}, line {number}: qid {shown(query.query_id)} occurs twice; it must be unique")
        seen.add(query.query_id)
        yield query


def _charades(text: str, path: str, left_out: list[str]) -> Iterator[LabelledQuery]:
    for number, line in filled_lines(text, path):
        parts = _CHARADES.fullmatch(line.strip())
        if parts is None or not parts["text"].strip():
            raise ConfigError(f"{path}, line {number}: expected VIDEO START END##sentence, got {shown(line.strip())}")
        window = _times(parts["start"], parts["end"])
        if window is None:
            raise ConfigError(
                f"{path}, line {number}: expected START and END in seconds, 0 or more, got"
                f" {shown(parts['start'])} and {shown(parts['end'])}"
            )
        if window[0] >= window[1]:
            left_out.append(f"line {number}")
            continue
        yield LabelledQuery(number, parts["text"].strip(), parts["video"], (window,))


def _activitynet(text: str, path: str, left_out: list[str]) -> Iterator[LabelledQuery]:
    try:
        data = parse_json(text, most_bytes=MOST_JSON_BYTES)
    except ValueError as error:
        raise ConfigError(f"{path}: is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected an object with a video's captions under its name, got {shown(data)}")
    for video, entry in data.items():
        try:
            yield from _captions(video, entry, left_out)
        except ValueError as error:
            raise ConfigError(f"{path}, video {shown(video)}: {error}") from error


def _captions(video: str, entry: object, left_out: list[str]) -> Iterator[LabelledQuery]:
    fields: Mapping[str, Any] = entry if isinstance(entry, dict) else {}
    duration, windows, sentences = (fields.get(key) for key in ("duration", "timestamps", "sentences"))
    length = _seconds(duration)
    if not length:
        raise ValueError(f"expected a duration in seconds, more than 0, got {shown(duration)}")
    if not isinstance(windows, list) or not isinstance(sentences, list) or len(windows) != len(sentences):
        raise ValueError(f"expected as many timestamps as sentences, got {shown(windows)} and {shown(sentences)}")
    for number, (window, sentence) in enumerate(zip(windows, sentences, strict=True)):
        times = _times(*window) if isinstance(window, list) and len(window) == 2 else None
        if times is None:
            raise ValueError(f"expected [start, end] in seconds as timestamp {number}, got {shown(window)}")
        if not isinstance(sentence, str) or not sentence.strip() or not is_unicode(sentence):
            raise ValueError(f"expected a text as sentence {number}, got {shown(sentence)}")
        # Some moments end slightly after their video.
        start, end = times[0], min(times[1], length)
        if start >= end:
            left_out.append(f"{video} {number}")
            continue
        yield LabelledQuery(f"{video}#{number}", sentence.strip(), video, ((start, end),), length)


def _times(start: object, end: object) -> tuple[float, float] | None:
    found = _seconds(start), _seconds(end)
    return None if found[0] is None or found[1] is None else (found[0], found[1])


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except ValueError:
        return None
    return seconds if 0 <= seconds < math.inf else None
