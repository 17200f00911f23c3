"""Orders of the list of videos, with cursors that name the last video of a page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from http import HTTPStatus
from operator import itemgetter
from typing import Literal, NamedTuple

from pipeline.search.filters.recording_time import recording_begins
from pipeline.serve.http.paging import cursor_of, key_of
from pipeline.serve.http.problems import ProblemError
from pipeline.types import VideoRecord
from pipeline.uris import base_name, public_name

__all__ = ["VideoOrder", "ordered_page"]

VideoOrder = Literal["id", "name", "newest", "oldest", "longest", "shortest"]
"""By id; by file name, without regard to letter case; by the start of the recording; or by the length."""

_NUMBER = r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:e[+-]?[0-9]{1,3})?"
_CURSOR = re.compile(
    rf"(?P<order>\S+) (?P<is_last>[01]) (?P<number>{_NUMBER}) (?P<video_id>\S+) (?P<text>.*)", re.DOTALL
)


class _OrderPlace(NamedTuple):
    """A video's place in an order; of two videos, the one with the lesser place comes first.

    Attributes:
        is_last: Whether it lacks what the videos are ordered by, which puts it at the end.
        number: What they are ordered by, if it is a number.
        folded: What they are ordered by, if it is a text, without letter case.
        text: That text.
        video_id: The video's id.
    """

    is_last: bool
    number: float
    folded: str
    text: str
    video_id: str


def ordered_page(
    records: Iterable[VideoRecord], order: VideoOrder, limit: int, cursor: str | None, recording_entry: str
) -> tuple[list[VideoRecord], str | None]:
    """Return a page of videos in an order, and the cursor of the next page; None at the end.

    Videos that come and go between two pages move nothing: the cursor names the last video of a page, and its place in
    the order.

    Args:
        records: The records of all videos.
        order: The order; videos that are equal in it are ordered by id.
        limit: Maximum number of records.
        cursor: Cursor of this page; None for the first.
        recording_entry: Name of the metadata with the start of the recording.

    Raises:
        ProblemError: The cursor is not one of this order.
    """
    after = None if cursor is None else _place_after(cursor, order)
    placed = sorted(((_place(record, order, recording_entry), record) for record in records), key=itemgetter(0))
    rest = [pair for pair in placed if after is None or pair[0] > after]
    page = rest[:limit]
    further = _cursor_after(page[-1][0], order) if len(rest) > limit else None
    return [record for _, record in page], further


def _place(record: VideoRecord, order: VideoOrder, recording_entry: str) -> _OrderPlace:
    is_last, number, text = False, 0.0, ""
    if order == "name":
        text = base_name(public_name(record.last_name))
    elif order in ("longest", "shortest"):
        number = record.duration_seconds
    elif order in ("newest", "oldest"):
        begins = recording_begins(record.metadata, recording_entry)
        is_last = begins is None
        # The time of day where it was recorded, as it is shown: not all recordings state a zone.
        number = 0.0 if begins is None else (begins.replace(tzinfo=None) - datetime.min).total_seconds()
    return _OrderPlace(
        is_last, -number if order in ("longest", "newest") else number, text.casefold(), text, record.video_id
    )


def _cursor_after(place: _OrderPlace, order: VideoOrder) -> str:
    if order == "id":
        return cursor_of(place.video_id)
    return cursor_of(f"{order} {place.is_last:d} {place.number!r} {place.video_id} {place.text}")


def _place_after(cursor: str, order: VideoOrder) -> _OrderPlace:
    if order == "id":
        return _OrderPlace(False, 0.0, "", "", key_of(cursor))
    found = _CURSOR.fullmatch(key_of(cursor))
    if found is None or found["order"] != order:
        detail = f"the cursor is not one that this server gave out for the order {order!r}"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_cursor", detail)
    text = found["text"]
    return _OrderPlace(found["is_last"] == "1", float(found["number"]), text.casefold(), text, found["video_id"])
