"""Adds, imports, lists and removes the marks of a library."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.analyze.marks.mark import Mark, Verdict, mark_from
from pipeline.analyze.marks.mark_store import MarkStore
from pipeline.errors import QueryError
from pipeline.library.index_handle import check_writable
from pipeline.library.library import Library
from pipeline.library.privacy import apply_privacy
from pipeline.types.record_json import parsed

__all__ = [
    "VideoPart",
    "add_marks",
    "checked_marks",
    "import_marks",
    "library_marks",
    "mark_store",
    "remove_marks",
    "user_name",
    "write_marks",
]


@dataclass(frozen=True)
class VideoPart:
    """A part of a video of the library.

    Attributes:
        name: The video's file name, path, URI or id.
        start_seconds: Start of the part.
        end_seconds: End of the part; None for the point in time `start_seconds`.
    """

    name: str
    start_seconds: float
    end_seconds: float | None = None


def mark_store(library: Library) -> MarkStore:
    """Return the store of a library's marks."""
    return MarkStore(library.store.root_url)


def user_name() -> str:
    """Return the name of the user of this process; empty if unknown."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return ""


def add_marks(
    library: Library,
    subject: str,
    parts: Iterable[VideoPart],
    verdict: Verdict,
    *,
    by: str | None = None,
    note: str = "",
) -> list[Mark]:
    """Mark parts of videos; all are checked before the first mark is written.

    Args:
        library: The library of the videos.
        subject: The subject, such as "person in hard hat".
        parts: The parts.
        verdict: Whether they show the subject.
        by: Name of the person; None for the user of this process.
        note: A remark.

    Raises:
        QueryError: A video is unknown or its name is ambiguous, or it has no such part.
        StoreError: The library is read-only, or a mark cannot be written.
    """
    marks = checked_marks(library, subject, parts, verdict, by=by, note=note)
    write_marks(library, marks)
    return marks


def checked_marks(
    library: Library,
    subject: str,
    parts: Iterable[VideoPart],
    verdict: Verdict,
    *,
    by: str | None = None,
    note: str = "",
) -> list[Mark]:
    """Make marks as `add_marks` does, without writing them.

    Raises:
        QueryError: A video is unknown or its name is ambiguous, or it has no such part.
    """
    who = user_name() if by is None else by
    return [_mark(library, subject, part, verdict, who, note) for part in parts]


def write_marks(library: Library, marks: Iterable[Mark]) -> None:
    """Write checked marks.

    Raises:
        StoreError: The library is read-only, or a mark cannot be written.
    """
    check_writable(library.config.library)
    apply_privacy(library.config)
    store = mark_store(library)
    for mark in marks:
        store.add(mark)


def _mark(library: Library, subject: str, part: VideoPart, verdict: Verdict, by: str, note: str) -> Mark:
    found = library.find(part.name)
    if len(found) > 1:
        raise QueryError(
            f"{len(found)} videos have the name {part.name!r}; use the id of one of them: {', '.join(found)}"
        )
    end = part.start_seconds if part.end_seconds is None else part.end_seconds
    _check_part(library, found[0], part.name, part.start_seconds, end)
    try:
        return Mark(found[0], part.start_seconds, end, subject, verdict, by=by, note=note)
    except ValueError as error:
        raise QueryError(f"{part.name!r} cannot be marked: {error}") from error


def _check_part(library: Library, video_id: str, name: str, start: float, end: float) -> None:
    record = library.store.record(video_id)
    if record is None:
        raise QueryError(f"no video {name!r} in this library; index it, or leave out its marks")
    if start > record.duration_seconds:
        raise QueryError(f"{name!r} ends at {record.duration_seconds:.3f} s; it has no second {start:g}")
    if end < start:
        raise QueryError(f"{name!r}: the part ends at {end:g} s, before its start at {start:g} s")


def import_marks(library: Library, lines: Iterable[str | bytes], origin: str) -> list[Mark]:
    """Add marks from JSON Lines, one object per line; all are checked before the first is written.

    Args:
        library: The library of their videos.
        lines: Lines as written by `Mark.as_json`.
        origin: Name of the source in messages.

    Raises:
        QueryError: A line is not a mark, or its video is not in the library; nothing was written.
        StoreError: The library is read-only, or a mark cannot be written.
    """
    marks = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            mark = mark_from(parsed(line))
        except ValueError as error:
            raise QueryError(f"{origin}, line {number}: not a mark: {error}; nothing was imported") from error
        try:
            _check_part(library, mark.video_id, mark.video_id, mark.start_seconds, mark.end_seconds)
        except QueryError as error:
            raise QueryError(f"{origin}, line {number}: {error}; nothing was imported") from error
        marks.append(mark)
    write_marks(library, marks)
    return marks


def library_marks(library: Library, subject: str | None = None, videos: Sequence[str] = ()) -> list[Mark]:
    """Read marks, ordered by video id and start.

    Args:
        library: The library.
        subject: Subject of the marks; None for all.
        videos: Videos of the marks: names, paths, URIs or ids; empty for all.

    Raises:
        QueryError: A video is unknown.
        StoreError: Marks cannot be read.
    """
    store = mark_store(library)
    if not videos:
        return store.marks(subject)
    return [mark for video_id in library.find(*videos) for mark in store.marks(subject, video_id)]


def remove_marks(library: Library, marks: Iterable[Mark]) -> int:
    """Remove marks, and return how many of them existed.

    Raises:
        StoreError: The library is read-only, or a mark cannot be removed.
    """
    check_writable(library.config.library)
    store = mark_store(library)
    return sum(store.remove(mark) for mark in marks)
