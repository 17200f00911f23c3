"""Reads manifests of videos and their metadata: CSV, JSON Lines and Parquet."""

from __future__ import annotations

import csv
import datetime
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, BinaryIO

from pipeline.errors import SourceError
from pipeline.parsing import MOST_LINE_LENGTH, ParseError, is_unicode, parse_json, shown, text_lines
from pipeline.sources.parquet_rows import parquet_rows
from pipeline.types import Scalar, Source, name_problem
from pipeline.uris import public_name, suffix_of

__all__ = ["MANIFESTS", "MetadataCheck", "json_manifest", "manifest_rows", "scalar_of"]

_VIDEO_COLUMNS = ("uri", "path", "video", "url")
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
# Without exponents: "12e4" is rather a name.
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})\.\d+")
_WORDS = {"true": True, "false": False}
# Metadata is filtered by name; spreadsheets and data sets have some hundreds of columns.
_MOST_COLUMNS = 2000
# A few bytes of Parquet can claim billions of rows.
_MOST_ROWS = 10_000_000

Row = tuple[str, Mapping[str, Any]]

MetadataCheck = Callable[[Mapping[str, Scalar]], None]
"""A check that raises ValueError for metadata with which a video cannot be indexed."""


def manifest_rows(name: str, file: BinaryIO, check: MetadataCheck | None = None) -> Iterator[Source]:
    """Read the videos of a manifest, one per row, in order; its suffix gives the format.

    The first column of `uri`, `path`, `video` and `url` that is there names the video, as it is written; every other
    column becomes metadata under its name, and what is empty, null or NaN is left out. Dates and times become text in
    ISO form. In CSV what reads as a number, true or false is one; numbers with leading zeros stay text.

    Args:
        name: The manifest's path or URI.
        file: Its bytes; Parquet needs one that can seek.
        check: Called with the metadata of each row.

    Raises:
        SourceError: It cannot be read as what its suffix says, no column names the video, or a row is not as it should
            be: without a video, with other columns than the header, with a value that is no text or number or a name
            that no filter can use, or refused by the check.
    """
    where = public_name(name)
    try:
        for number, (place, row) in enumerate(MANIFESTS[suffix_of(name)](where, file), start=1):
            if number > _MOST_ROWS:
                raise SourceError(f"{where}: more than {_MOST_ROWS:,} rows; split it")
            source = _source(f"{where}, {place}", row)
            if check is not None:
                _apply(check, f"{where}, {place}", source.metadata)
            yield source
    except UnicodeDecodeError as error:
        raise SourceError(f"{where}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from error
    except ParseError as error:
        raise SourceError(f"{where}: {error}") from error


def _apply(check: MetadataCheck, place: str, metadata: Mapping[str, Scalar]) -> None:
    try:
        check(metadata)
    except ValueError as error:
        raise SourceError(f"{place}: {error}") from error


def json_manifest(sources: Iterable[Source]) -> str:
    """Write sources as a JSON Lines manifest that `manifest_rows` reads."""
    return "".join(f"{json.dumps({_VIDEO_COLUMNS[0]: source.uri, **source.metadata})}\n" for source in sources)


def scalar_of(text: str) -> Scalar:
    """Parse an untyped text as an integer, a number or a truth value, else keep the text."""
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    return _WORDS.get(text.lower(), text)


def _csv_rows(name: str, file: BinaryIO) -> Iterator[Row]:
    with closing(text_lines(file, newline="")) as lines:
        yield from _csv_records(name, _RecordLines(lines))


def _csv_records(name: str, lines: _RecordLines) -> Iterator[Row]:
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise SourceError(f"{name}: empty; the first line of a CSV names its columns, as uri,camera")
        _check_columns(name, header)
        for values in lines.records(reader):
            if not values:
                continue
            place = f"line {lines.first}"
            if len(values) != len(header):
                raise SourceError(
                    f"{name}, {place}: {len(values)} values where the header has {len(header)} columns; mend the line,"
                    " and put values with commas in quotes"
                )
            pairs = zip(header, values, strict=True)
            yield place, {key: value if key in _VIDEO_COLUMNS else scalar_of(value) for key, value in pairs}
    except csv.Error as error:
        raise SourceError(
            f"{name}, line {lines.first}: not CSV ({error}); mend it, and look for a quote that is not closed"
        ) from error


class _RecordLines:
    """The lines of a CSV file, of which one record may take so many characters: a quote that is not closed takes all.

    Attributes:
        first: Number of the line at which the record begins.
    """

    def __init__(self, lines: Iterator[str]) -> None:
        self.first = 1
        self._lines = lines
        self._length = 0

    def __iter__(self) -> _RecordLines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._length += len(line)
        if self._length > MOST_LINE_LENGTH:
            raise csv.Error(f"a record of more than {MOST_LINE_LENGTH:,} characters")
        return line

    def records(self, reader: Any) -> Iterator[list[str]]:
        """The records that a reader of these lines finds, each held against the limit by itself."""
        while True:
            self.first, self._length = reader.line_num + 1, 0
            values = next(reader, None)
            if values is None:
                return
            yield values


def _json_rows(name: str, file: BinaryIO) -> Iterator[Row]:
    for number, line in enumerate(text_lines(file), start=1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            row = parse_json(line, allows_nan=True)
        except ValueError as error:
            raise SourceError(f"{name}, {place}: not JSON ({error}); each line is one object") from error
        if not isinstance(row, dict):
            raise SourceError(f'{name}, {place}: expected an object as {{"uri": "a.mp4"}}, got {shown(row)}')
        yield place, row


def _parquet_rows(name: str, file: BinaryIO) -> Iterator[Row]:
    for number, row in enumerate(parquet_rows(name, file, lambda columns: _check_columns(name, columns)), start=1):
        yield f"row {number}", row


MANIFESTS: Mapping[str, Callable[[str, BinaryIO], Iterable[Row]]] = {
    ".csv": _csv_rows,
    ".jsonl": _json_rows,
    ".parquet": _parquet_rows,
}
"""The reader of each manifest suffix: from (name, file) to (place, row) pairs."""


def _check_columns(name: str, columns: Sequence[str]) -> None:
    if len(columns) > _MOST_COLUMNS:
        raise SourceError(
            f"{name}: {len(columns):,} columns; the most is {_MOST_COLUMNS:,}: leave out what is not needed"
        )
    twice = sorted(column for column, times in Counter(columns).items() if times > 1)
    if twice:
        raise SourceError(f"{name}: two columns are named {shown(twice[0])}; rename one of them")
    _video_column(name, columns)


def _video_column(place: str, columns: Iterable[str]) -> str:
    found = list(columns)
    for column in _VIDEO_COLUMNS:
        if column in found:
            return column
    names = ", ".join(map(shown, found[:12])) + (", ..." if len(found) > 12 else "")
    raise SourceError(
        f"{place}: no column names the video; call one of them uri (or path, video, url). Columns found:"
        f" {names or 'none'}"
    )


def _source(place: str, row: Mapping[str, Any]) -> Source:
    column = _video_column(place, row)
    uri = row[column]
    if not isinstance(uri, str) or not uri.strip():
        raise SourceError(
            f"{place}: {column!r} is {shown(uri)}, where it names a video; fill it in, or leave the row out"
        )
    metadata = {}
    for name, value in row.items():
        if name != column:
            known = _scalar(f"{place}, column {shown(name)}", value)
            if known is not None:
                if (problem := name_problem(name)) is not None:
                    raise SourceError(f"{place}: {problem}; rename the column")
                metadata[name] = known
    return Source(uri, metadata)


def _scalar(place: str, value: object) -> Scalar | None:
    """A value that can be filtered by; None for what says nothing."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bool) or (isinstance(value, str) and is_unicode(value)):
        return value
    if isinstance(value, int) and abs(value) < 2**63:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise SourceError(
        f"{place}: {str(value)[:60]!r} is no text, finite number within 64 bits, true or false; metadata is filtered by"
        " such values alone, so flatten it or leave the column out"
    )
