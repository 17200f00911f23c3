"""Read manifests of videos and their metadata: CSV, JSON Lines and Parquet."""

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
# Without exponents: a text such as "12e4" is more likely a name.
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})\.\d+")
_WORDS = {"true": True, "false": False}
# Metadata is filtered by name; spreadsheets and data sets have at most some hundreds of columns.
_MAX_COLUMNS = 2000
# A few bytes of Parquet can claim billions of rows.
_MAX_ROWS = 10_000_000

Row = tuple[str, Mapping[str, Any]]

MetadataCheck = Callable[[Mapping[str, Scalar]], None]
"""A check that raises ValueError for metadata with which a video cannot be indexed."""


def manifest_rows(name: str, file: BinaryIO, check: MetadataCheck | None = None) -> Iterator[Source]:
    """Read the videos of a manifest, one per row, in order; its suffix determines the format.

    The first column that exists of `uri`, `path`, `video` and `url` names the video; its text is used as it is. All
    other columns become metadata, without empty values, null and NaN. Dates and times become text in ISO format. In
    CSV, text that looks like a number, true or false is converted; numbers with leading zeros stay text.

    Args:
        name: The manifest's path or URI.
        file: Its content; for Parquet, a seekable file.
        check: Called with the metadata of each row.

    Raises:
        SourceError: The file is not in the format of its suffix, no column names the video, or a row is invalid: it has
            no video, other columns than the header, a value that is not text or a number, or a name that no filter can
            use; or the check rejects it.
    """
    location = public_name(name)
    try:
        for number, (place, row) in enumerate(MANIFESTS[suffix_of(name)](location, file), start=1):
            if number > _MAX_ROWS:
                raise SourceError(f"{location}: more than {_MAX_ROWS:,} rows; split it")
            source = _source(f"{location}, {place}", row)
            if check is not None:
                _apply(check, f"{location}, {place}", source.metadata)
            yield source
    except UnicodeDecodeError as error:
        raise SourceError(f"{location}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from error
    except ParseError as error:
        raise SourceError(f"{location}: {error}") from error


def _apply(check: MetadataCheck, place: str, metadata: Mapping[str, Scalar]) -> None:
    try:
        check(metadata)
    except ValueError as error:
        raise SourceError(f"{place}: {error}") from error


def json_manifest(sources: Iterable[Source]) -> str:
    """Format sources as a JSON Lines manifest that `manifest_rows` reads."""
    return "".join(f"{json.dumps({_VIDEO_COLUMNS[0]: source.uri, **source.metadata})}\n" for source in sources)


def scalar_of(text: str) -> Scalar:
    """Convert a text that looks like an integer, a number, true or false; otherwise return the text."""
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
            raise SourceError(f"{name}: empty; the first line of a CSV names its columns, for example uri,camera")
        _check_columns(name, header)
        for values in lines.records(reader):
            if not values:
                continue
            place = f"line {lines.first}"
            if len(values) != len(header):
                raise SourceError(
                    f"{name}, {place}: {len(values)} values, but the header has {len(header)} columns; correct the"
                    " line, and put values with commas in quotes"
                )
            pairs = zip(header, values, strict=True)
            yield place, {key: value if key in _VIDEO_COLUMNS else scalar_of(value) for key, value in pairs}
    except csv.Error as error:
        raise SourceError(
            f"{name}, line {lines.first}: not CSV ({error}); correct it, and look for a quote that is not closed"
        ) from error


class _RecordLines:
    """The lines of a CSV file, with a limit on the length of a record: an unclosed quote would include all the rest.

    Attributes:
        first: Number of the first line of the current record.
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
        """Yield the records that a reader of these lines parses, applying the limit to each."""
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
            raise SourceError(f"{name}, {place}: not JSON ({error}); each line must be one object") from error
        if not isinstance(row, dict):
            raise SourceError(f'{name}, {place}: expected an object such as {{"uri": "a.mp4"}}, got {shown(row)}')
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
    if len(columns) > _MAX_COLUMNS:
        raise SourceError(
            f"{name}: {len(columns):,} columns; the maximum is {_MAX_COLUMNS:,}: leave out those that are not needed"
        )
    duplicates = sorted(column for column, count in Counter(columns).items() if count > 1)
    if duplicates:
        raise SourceError(f"{name}: two columns are named {shown(duplicates[0])}; rename one of them")
    _video_column(name, columns)


def _video_column(place: str, columns: Iterable[str]) -> str:
    present = list(columns)
    for column in _VIDEO_COLUMNS:
        if column in present:
            return column
    names = ", ".join(map(shown, present[:12])) + (", ..." if len(present) > 12 else "")
    raise SourceError(
        f"{place}: no column names the video; call one of them uri (or path, video, url). Columns found:"
        f" {names or 'none'}"
    )


def _source(place: str, row: Mapping[str, Any]) -> Source:
    column = _video_column(place, row)
    uri = row[column]
    if not isinstance(uri, str) or not uri.strip():
        raise SourceError(
            f"{place}: {column!r} is {shown(uri)}, but must name a video; fill it in, or leave the row out"
        )
    metadata = {}
    for name, value in row.items():
        if name != column:
            scalar = _scalar(f"{place}, column {shown(name)}", value)
            if scalar is not None:
                if (problem := name_problem(name)) is not None:
                    raise SourceError(f"{place}: {problem}; rename the column")
                metadata[name] = scalar
    return Source(uri, metadata)


def _scalar(place: str, value: object) -> Scalar | None:
    """Convert a value to one that can be filtered by; None for an empty value."""
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
        f"{place}: {str(value)[:60]!r} is not text, a finite number within 64 bits, true or false; only such values can"
        " be metadata, so flatten it or leave the column out"
    )
