"""Readers of labelled intervals: JSON Lines, and CSV as exported by annotation tools."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError
from pipeline.evaluate.intervals.case import Interval
from pipeline.evaluate.label_formats import filled_lines, label_file_text
from pipeline.parsing import is_unicode, parse_json, shown
from pipeline.timecode import parse_seconds

__all__ = [
    "IntervalSet",
    "LabelledIntervals",
    "csv_rows",
    "interval_of",
    "interval_set_in",
    "is_interval_set",
    "is_number",
    "json_rows",
    "read_interval_set",
    "text_of",
]

_EXAMPLES = (
    'lines as {"video": "park", "label": "forklift", "intervals": [[3.0, 7.5]]}, or a CSV file whose first line has the'
    " columns video,label,start,end"
)
_LONGEST_TEXT = 1000
_CSV_COLUMNS = ("video", "label", "start", "end")


@dataclass(frozen=True)
class LabelledIntervals:
    """The true intervals of one label in one video.

    Attributes:
        video: The video's name, file name, path or id.
        label: The label.
        intervals: Intervals in which the video shows the label; empty if it never does.
        unknown: Intervals of unknown truth.
        duration_seconds: The video's length, if given.
        line: Number of its line in the file.
    """

    video: str
    label: str
    intervals: tuple[Interval, ...]
    unknown: tuple[Interval, ...] = ()
    duration_seconds: float | None = None
    line: int = 0


@dataclass(frozen=True)
class IntervalSet:
    """A labelled set of intervals. For a label and video without an entry the truth is unknown.

    Attributes:
        form: File format, "JSON Lines" or "CSV".
        entries: One for each label and video, in the order of the file.
    """

    form: str
    entries: tuple[LabelledIntervals, ...]


def is_interval_set(text: str) -> bool:
    """Detect a labelled set of intervals by the first line of the file."""
    first = next((line.strip() for line in text.split("\n") if line.strip()), "")
    if not first.startswith("{"):
        return _delimiter(first) is not None
    try:
        found = parse_json(first)
    except ValueError:
        return False
    is_captions = all(isinstance(value, dict) for value in found.values())
    return not is_captions and "qid" not in found and bool({"label", "intervals"} & set(found))


def read_interval_set(path: str | Path) -> IntervalSet:
    """Read a labelled set of intervals.

    Raises:
        ConfigError: The file cannot be read, has no known format or is empty, or a line is invalid; the message names
            file and line, and what was expected.
    """
    return interval_set_in(label_file_text(path), str(path))


def interval_set_in(text: str, path: str) -> IntervalSet:
    """Parse the text of a labelled set of intervals.

    Args:
        text: Content of the file, as returned by `label_file_text`.
        path: Name of the file, for messages.

    Raises:
        ConfigError: As for `read_interval_set`.
    """
    if not is_interval_set(text):
        raise ConfigError(f"{path}: is not a set of labelled intervals; expected {_EXAMPLES}")
    is_json = text.lstrip().startswith("{")
    entries = tuple(_json_entries(text, path) if is_json else _csv_entries(text, path))
    if not entries:
        raise ConfigError(f"{path}: contains no labelled interval; expected {_EXAMPLES}")
    return IntervalSet("JSON Lines" if is_json else "CSV", entries)


def json_rows(text: str, path: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the JSON object of each line with its line number.

    Raises:
        ConfigError: A line is not a JSON object; the message names file and line.
    """
    for number, line in filled_lines(text, path):
        try:
            found = parse_json(line)
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error
        if not isinstance(found, dict):
            raise ConfigError(f"{path}, line {number}: expected a JSON object, got {shown(found)}")
        yield number, found


def _json_entries(text: str, path: str) -> Iterator[LabelledIntervals]:
    seen: dict[tuple[str, str], int] = {}
    for number, row in json_rows(text, path):
        try:
            entry = _entry(row, number)
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error
        before = seen.setdefault((entry.video, entry.label), number)
        if before != number:
            raise ConfigError(
                f"{path}, line {number}: video {shown(entry.video)} and label {shown(entry.label)} were on line"
                f" {before}; give all intervals of the two on one line"
            )
        yield entry


def _entry(row: Mapping[str, Any], number: int) -> LabelledIntervals:
    intervals = row.get("intervals")
    if not isinstance(intervals, list):
        raise ValueError(  # noqa: TRY004 - one kind of fault for the caller
            "expected a list of [start, end] as intervals, empty where the video does not show the label, got"
            f" {shown(intervals)}"
        )
    unknown = row.get("unknown", [])
    if not isinstance(unknown, list):
        raise ValueError(f"expected a list of [start, end] as unknown, got {shown(unknown)}")  # noqa: TRY004 - as above
    duration = _duration(row.get("duration"))
    return LabelledIntervals(
        video=text_of(row, "video"),
        label=text_of(row, "label"),
        intervals=tuple(interval_of(one, duration) for one in intervals),
        unknown=tuple(interval_of(one, duration) for one in unknown),
        duration_seconds=duration,
        line=number,
    )


def csv_rows(text: str, path: str, required: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a CSV file by column, with their line numbers; empty cells are omitted.

    Args:
        text: Content of the file. The first line that is not blank names the columns, in any letter case.
        path: Name of the file, for messages.
        required: Columns that identify the delimiter: a comma, a semicolon or a tab.

    Raises:
        ConfigError: A row is broken; the message names file and line.
    """
    delimiter = _delimiter(text.lstrip().split("\n", 1)[0], required) or ","
    lines = iter(text.split("\n"))
    # A quoted cell may contain line breaks; the csv package limits its length.
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    header: list[str] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip().lower() for cell in cells]
                if len(set(header)) < len(header):
                    raise ConfigError(f"{path}, line {reader.line_num}: a column is named twice: {shown(header)}")
                continue
            if len(cells) > len(header):
                raise ConfigError(
                    f"{path}, line {reader.line_num}: {len(cells)} cells under {len(header)} columns; put a cell that"
                    f" holds {delimiter!r} into quotation marks"
                )
            row = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if cell.strip()}
            yield reader.line_num, row
    except csv.Error as error:
        raise ConfigError(f"{path}, line {reader.line_num}: {error}") from error


def _delimiter(header: str, required: Sequence[str] = _CSV_COLUMNS) -> str | None:
    """Return the delimiter with which a line has all the columns; None if there is none."""
    if len(header) > _LONGEST_TEXT:
        return None
    for delimiter in ",;\t":
        names = {name.strip().strip('"').lower() for name in header.split(delimiter)}
        if len(names) > 1 and names >= set(required):
            return delimiter
    return None


def _csv_entries(text: str, path: str) -> Iterator[LabelledIntervals]:
    intervals: dict[tuple[str, str], list[Interval]] = {}
    durations: dict[str, tuple[float, int]] = {}
    lines: dict[tuple[str, str], int] = {}
    for number, row in csv_rows(text, path, _CSV_COLUMNS):
        try:
            key = text_of(row, "video"), text_of(row, "label")
            duration = _duration(_cell_seconds(row, "duration"))
            bounds = _cell_seconds(row, "start"), _cell_seconds(row, "end")
            found = intervals.setdefault(key, [])
            # A row without times states that the video does not show the label.
            if bounds != (None, None):
                found.append(interval_of(list(bounds), duration))
            if duration is not None and durations.setdefault(key[0], (duration, number))[0] != duration:
                raise ValueError(  # noqa: TRY301 - the one place that adds file and line
                    f"a duration of {duration:g} s for {shown(key[0])}, which has {durations[key[0]][0]:g} s on line"
                    f" {durations[key[0]][1]}"
                )
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error
        lines.setdefault(key, number)
    for (video, label), found in intervals.items():
        duration_and_line = durations.get(video)
        yield LabelledIntervals(
            video, label, tuple(found), (), duration_and_line and duration_and_line[0], lines[video, label]
        )


def _cell_seconds(row: Mapping[str, str], column: str) -> float | None:
    return parse_seconds(row[column]) if column in row else None


def text_of(row: Mapping[str, Any], key: str) -> str:
    """Return the text of a key.

    Raises:
        ValueError: There is none, or it is empty or too long.
    """
    text = row.get(key)
    if not isinstance(text, str) or not text.strip() or not is_unicode(text) or len(text) > _LONGEST_TEXT:
        raise ValueError(f"expected a text of up to {_LONGEST_TEXT:,} characters as {key}, got {shown(text)}")
    return text.strip()


def interval_of(given: object, duration: float | None) -> Interval:
    """Parse an interval from a list of two numbers, and clip it to the video's length if that is known.

    Raises:
        ValueError: It is not an interval, or starts after the video's end.
    """
    if isinstance(given, list) and len(given) == 2 and all(map(is_number, given)):
        start, end = float(given[0]), float(given[1])
        if 0 <= start < end < math.inf:
            if duration is not None and start >= duration:
                raise ValueError(f"the interval {shown(given)} begins after the video's end at {duration:g} s")
            # Some intervals end slightly after their video.
            return start, end if duration is None else min(end, duration)
    raise ValueError(f"expected [start, end] in seconds with 0 <= start < end, got {shown(given)}")


def _duration(given: object) -> float | None:
    if given is None:
        return None
    if isinstance(given, int | float) and is_number(given) and 0 < given < math.inf:
        return float(given)
    raise ValueError(f"expected a duration in seconds, more than 0, got {shown(given)}")


def is_number(value: object) -> bool:
    """Whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
