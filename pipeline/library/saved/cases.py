"""Cases: named lists of moments with notes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pipeline.analyze.marks.mark import MOST_SECONDS, now
from pipeline.errors import QueryError, StoreError, VersionMismatchError
from pipeline.library.saved.named_documents import NO_VERSION, NamedDocument, check_document_name
from pipeline.library.saved.saved_collection import SavedCollection
from pipeline.library.stored_library import StoredLibrary
from pipeline.parsing import is_unicode, shown
from pipeline.store.file_name_patterns import VIDEO_ID
from pipeline.types.record_json import checked_text

__all__ = ["MOST_MOMENTS", "Case", "CaseMoment", "LibraryCases"]

MOST_MOMENTS = 5000
"""Maximum number of moments in a case."""
_LONGEST_TEXT = 4000


@dataclass(frozen=True)
class CaseMoment:
    """A moment in a case.

    Attributes:
        video_id: The video's id.
        start_seconds: Start of the moment.
        end_seconds: End of the moment, excluded.
        note: A remark; may be empty.
        question: The question that found it; may be empty.
        by: Name of the person who added it; may be empty.
        added_at: When it was added, in UTC, such as "2026-11-21T17:00:00Z".

    Raises:
        ValueError: A field has the wrong type, is too long or out of range.
    """

    video_id: str
    start_seconds: float
    end_seconds: float
    note: str = ""
    question: str = ""
    by: str = ""
    added_at: str = ""

    def __post_init__(self) -> None:
        for name in ("video_id", "note", "question", "by", "added_at"):
            _check_text(name, getattr(self, name))
        if not VIDEO_ID.fullmatch(self.video_id):
            raise ValueError(f"video_id {shown(self.video_id)} is not the id of a video")
        start, end = (_seconds(getattr(self, name)) for name in ("start_seconds", "end_seconds"))
        if not 0 <= start < end <= MOST_SECONDS:
            raise ValueError(f"start_seconds {start} and end_seconds {end} are not a part of a video")

    @property
    def place(self) -> tuple[str, float, float]:
        """What identifies it in its case: the video, the start and the end."""
        return self.video_id, self.start_seconds, self.end_seconds


@dataclass(frozen=True)
class Case:
    """A named list of moments.

    Attributes:
        name: Its name; letter case does not count.
        version: Identity of this revision.
        description: What it is about; may be empty.
        moments: Its moments, in the order that people gave them.
        created_at: When it was made, in UTC.
        updated_at: When it was changed last, in UTC.
    """

    name: str
    version: str
    description: str
    moments: tuple[CaseMoment, ...]
    created_at: str
    updated_at: str


class LibraryCases(SavedCollection[Case]):
    """The cases of a library, in `{library}/cases/`. Several people can change them at once (see `NamedDocuments`).

    Args:
        library: The library.
    """

    def __init__(self, library: StoredLibrary) -> None:
        super().__init__(library, "cases", "case", _case)

    def put(
        self,
        name: str,
        description: str,
        moments: Sequence[CaseMoment],
        *,
        by: str = "",
        expected: str | None = None,
    ) -> tuple[Case, bool]:
        """Make a case, or replace its content; if it is the same, nothing is written.

        A moment that the case has already keeps the time when it was added, and the name of who did.

        Args:
            name: Its name.
            description: What it is about.
            moments: Its moments; each new one must be a part of a video in the library.
            by: Name of the person who adds the new moments.
            expected: The version that is replaced, as for `NamedDocuments.update`; None for whatever is there.

        Returns:
            The case, and whether it is new.

        Raises:
            QueryError: The name or the description is invalid, there are too many moments, or the library has no such
                part of a video.
            VersionMismatchError: Another version is there.
            StoreError: The library is read-only, or the case cannot be written.
        """
        _check_content(description, moments)
        self._prepare()
        at = now()

        def made(current: Mapping[str, Any] | None) -> Mapping[str, Any]:
            before = None if current is None else _case(NamedDocument(name, "", current))
            known = {} if before is None else {one.place: one for one in before.moments}
            found = [self._moment(one, known.get(one.place), by, at) for one in moments]
            fields = {"description": description, "moments": [asdict(one) for one in found]}
            created_at = at if before is None else before.created_at
            if current is not None and fields == {key: current[key] for key in fields}:
                return current
            return {**fields, "created_at": created_at, "updated_at": at}

        document, is_new = self._documents.update(name, made, expected=expected)
        return _case(document), is_new

    def rename(self, name: str, new_name: str, *, expected: str | None = None) -> Case | None:
        """Give a case another name; everything in it stays as it is.

        Args:
            name: Its name.
            new_name: The new one.
            expected: The version that is renamed, as for `put`.

        Returns:
            The case under its new name; None if there is no case of the old name.

        Raises:
            QueryError: The new name is invalid.
            VersionMismatchError: Another version is there, or a case of the new name.
            StoreError: The library is read-only, or the case cannot be written.
        """
        self._prepare()
        before = self._documents.find(name)
        if before is None:
            return None
        if expected is not None:
            self._documents.update(before.name, lambda _current: before.fields, expected=expected)
        if before.name.casefold() == check_document_name(new_name).casefold():
            after, _ = self._documents.update(new_name, lambda _current: before.fields, expected=before.version)
            return _case(after)
        after, _ = self._documents.update(new_name, lambda _current: before.fields, expected=NO_VERSION)
        try:
            self._documents.remove(name, expected=before.version)
        except VersionMismatchError:  # somebody has changed it meanwhile, and their change stays under its name
            self._documents.remove(new_name, expected=after.version)
            raise
        return _case(after)

    def _moment(self, moment: CaseMoment, known: CaseMoment | None, by: str, at: str) -> CaseMoment:
        if known is not None:
            return replace(moment, by=known.by, added_at=known.added_at)
        record = self._library.store.record(moment.video_id)
        if record is None:
            raise QueryError(f"the library has no video with the id {moment.video_id!r}; leave out its moments")
        if moment.start_seconds > record.duration_seconds:
            raise QueryError(
                f"the video {moment.video_id} ends at {record.duration_seconds:.3f} s; it has no second"
                f" {moment.start_seconds:g}"
            )
        return replace(moment, by=by, added_at=at)


def _check_content(description: str, moments: Sequence[CaseMoment]) -> None:
    try:
        _check_text("description", description)
    except ValueError as error:
        raise QueryError(str(error)) from error
    if len(moments) > MOST_MOMENTS:
        raise QueryError(f"a case has at most {MOST_MOMENTS:,} moments, not {len(moments):,}; divide it")
    if len({one.place for one in moments}) < len(moments):
        raise QueryError("a moment is in the list twice; leave one of them out")


def _case(document: NamedDocument) -> Case:
    fields = document.fields
    try:
        moments = tuple(CaseMoment(**one) for one in fields["moments"])
        texts = [checked_text(fields[name]) for name in ("description", "created_at", "updated_at")]
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"the case {document.name!r} is broken ({error}); remove its file from the library's folder cases"
        ) from error
    return Case(document.name, document.version, texts[0], moments, texts[1], texts[2])


def _check_text(name: str, text: object) -> None:
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT or not is_unicode(text):
        raise ValueError(f"{name} {shown(text)} is not a text of up to {_LONGEST_TEXT:,} characters in UTF-8")


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{shown(value)} is not a number of seconds")
    return float(value)
