"""Times of recording to the second: parts of a day, dates, zones, and which videos they leave out before reading."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from contracts.word_world import video

from pipeline.errors import QueryError, StoreError
from pipeline.index.protocol import Filter
from pipeline.search import as_query
from pipeline.search.filters.recording_time import RecordingTimes, TimeOfDay, check_date, recorded_at
from pipeline.search.filters.selection import Selection, described_filters, select, skipped_of
from pipeline.types import VideoRecord

DAY = 86_400
NOON = datetime(2026, 11, 20, 12)
PLUS_ONE = timezone(timedelta(hours=1))


def times_of(*args: str | None) -> RecordingTimes:
    found = RecordingTimes.of(*args)
    assert found is not None
    return found


@pytest.mark.parametrize(("text", "bounds"), [
    ("8:00-17:30", (28_800, 63_000)),
    (" 08:05:09 - 9:10:11\n", (29_109, 33_011)),
    ("0:00-24:00", (0, DAY)),
    ("24:00-1:00", (0, 3600)),
    ("22:00-0:00", (79_200, 0)),
    ("23:59:59-24:00", (86_399, DAY)),
    ("0:59-1:59:59", (3540, 7199)),
])  # fmt: skip
def test_a_part_of_a_day_is_seconds_since_midnight(text: str, bounds: tuple[int, int]) -> None:
    found = TimeOfDay.parse(text)
    assert (found.start_seconds, found.end_seconds) == bounds


@pytest.mark.parametrize(("text", "message"), [
    ("1:60-2:00", "minutes and seconds up to 59"),
    ("1:00-2:00:60", "minutes and seconds up to 59"),
    ("24:00:01-2:00", "hours go up to 24"),
    ("0:00-24:00:01", "hours go up to 24"),
    ("24:00-0:00", "ends where it begins"),
    ("0:00-0:00", "ends where it begins"),
    ("24:00-24:00", "ends where it begins"),
    ("7:00-7:00:00", "ends where it begins"),
    ("8:00", "write START-END"),
    ("8:00-9:00 h", "write START-END"),
    ("at 8:00-9:00", "write START-END"),
])  # fmt: skip
def test_why_a_text_is_no_part_of_a_day(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TimeOfDay.parse(text)


@pytest.mark.parametrize(("text", "at", "until", "left"), [
    ("13:00-14:00", NOON, 3600.0, None),
    ("12:00-14:00", NOON, 0.0, 7200.0),
    ("11:00-12:00", NOON, 23 * 3600.0, None),
    ("22:00-12:30", NOON, 0.0, 1800.0),
    ("0:00-24:00", NOON, 0.0, 43_200.0),
    ("0:00-24:00", datetime(2026, 11, 20), 0.0, float(DAY)),
    ("13:00-14:00", NOON.replace(microsecond=250_000), 3599.75, None),
    ("12:00-14:00", NOON.replace(second=1, microsecond=500_000), 0.0, 7198.5),
])  # fmt: skip
def test_the_seconds_until_a_part_of_the_day_and_to_its_end(
    text: str, at: datetime, until: float, left: float | None
) -> None:
    part = TimeOfDay.parse(text)
    assert part.seconds_until(at) == until
    assert (at in part) == (until == 0)
    if left is not None:
        assert part.seconds_left(at) == left


@pytest.mark.parametrize(("text", "seconds", "meets"), [
    # Noon, and a second more than it lasts.
    ("12:00-12:01", 0.0, True),
    ("12:00:10-12:01", 9.0, True),
    ("12:00:10-12:01", 8.9, False),
    ("11:59-12:00", DAY - 61.0, True),
    ("11:59-12:00", DAY - 61.1, False),
])  # fmt: skip
def test_a_recording_meets_a_part_of_the_day_up_to_a_second_after_it(text: str, seconds: float, meets: bool) -> None:
    assert TimeOfDay.parse(text).meets(NOON, seconds) == meets
    assert times_of(text).meets(NOON, seconds) == meets


@pytest.mark.parametrize(("seconds", "meets"), [(7198.9, False), (7199.0, True)])
def test_a_recording_of_the_morning_meets_a_later_part_of_the_day(seconds: float, meets: bool) -> None:
    assert TimeOfDay.parse("9:09-10:00").meets(datetime(2026, 11, 20, 7, 9), seconds) == meets


@pytest.mark.parametrize(("bounds", "at", "until"), [
    ((None, "2026-11-20T12:00", None), NOON, 0.0),
    ((None, "2026-11-20T12:00:01", None), NOON, 1.0),
    ((None, "2026-11-20", None), datetime(2026, 11, 19, 23, 59, 58), 2.0),
    ((None, None, "2026-11-20T12:00"), NOON, None),
    ((None, None, "2026-11-20T12:00:01"), NOON, 0.0),
    ((None, None, "2026-11-20"), datetime(2026, 11, 20, 23, 59, 59), 0.0),
    ((None, None, "2026-11-20"), datetime(2026, 11, 21), None),
    # The part of the day is waited for after the date has begun.
    (("8:00-9:00", "2026-11-21", None), NOON, 20 * 3600.0),
    (("11:00-13:00", "2026-11-20T12:30", None), NOON, 1800.0),
    (("11:00-12:00", "2026-11-20T12:30", None), NOON, 23 * 3600.0),
    (("13:00-14:00", None, "2026-11-20T13:00"), NOON, None),
    (("13:00-14:00", None, "2026-11-20T13:00:01"), NOON, 3600.0),
])  # fmt: skip
def test_the_seconds_until_a_time_is_allowed(
    bounds: tuple[str | None, str | None, str | None], at: datetime, until: float | None
) -> None:
    times = times_of(*bounds)
    assert times.seconds_until(at) == until
    assert (at in times) == (until == 0)


def test_a_bound_without_a_zone_is_compared_with_the_clock_of_the_place() -> None:
    times = times_of(None, "2026-11-20T12:00", "2026-11-20T13:00")
    assert not times.needs_zone
    assert NOON.replace(tzinfo=PLUS_ONE) in times
    assert datetime(2026, 11, 20, 11, tzinfo=UTC) not in times


def test_a_bound_with_a_zone_is_an_instant_and_needs_one() -> None:
    for bounds in ((None, "2026-11-20T11:00Z", None), (None, None, "2026-11-20T11:00:01Z")):
        times = times_of(*bounds)
        assert times.needs_zone
        assert NOON.replace(tzinfo=PLUS_ONE) in times
        assert times.seconds_until(NOON) is None
        assert not times.meets(NOON, 1e6)
        assert times.intervals(NOON, 100.0) == []


@pytest.mark.parametrize(("bounds", "has_dates"), [
    (("8:00-9:00", None, None), False),
    ((None, "2026-11-20", None), True),
    ((None, None, "2026-11-20"), True),
])  # fmt: skip
def test_which_times_have_dates(bounds: tuple[str | None, ...], has_dates: bool) -> None:
    assert times_of(*bounds).has_dates == has_dates
    assert RecordingTimes.of() is None


@pytest.mark.parametrize(("since", "until", "message"), [
    ("2026-11-20T12:00", "2026-11-20T12:00", "is not later than"),
    ("2026-11-21", "2026-11-20", "is not later than"),
    ("2026-11-20T12:00Z", "2026-11-20T13:00", "give a time zone in both"),
    ("2026-11-20", "2026-11-21T00:00Z", "give a time zone in both"),
    ("2026-13-20", "2026-11-20", "not a date"),
    ("2026-11-20", "9999-12-31", "not a date"),
])  # fmt: skip
def test_bounds_that_allow_nothing_are_refused(since: str, until: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RecordingTimes.of(recorded_from=since, recorded_to=until)
    times_of(None, "2026-11-20", "2026-11-20")
    times_of(None, "2026-11-20T12:00", "2026-11-20T12:00:01")


@pytest.mark.parametrize(("bounds", "end", "expected"), [
    (("12:00:10-12:00:20", None, None), 60.0, [(10.0, 20.0)]),
    (("12:00:10-12:00:20", None, None), 15.0, [(10.0, 15.0)]),
    (("12:00:10-12:00:20", None, None), 10.0, []),
    (("11:00-12:00:20", None, None), 60.0, [(0.0, 20.0)]),
    (("12:00:10-12:00:20", None, None), DAY + 15.0, [(10.0, 20.0), (DAY + 10.0, DAY + 15.0)]),
    ((None, "2026-11-20T12:00:10", None), 60.0, [(10.0, 60.0)]),
    ((None, None, "2026-11-20T12:00:10"), 60.0, [(0.0, 10.0)]),
    ((None, None, "2026-11-20T12:00:10"), 5.0, [(0.0, 5.0)]),
    ((None, None, "2026-11-20T12:00"), 5.0, []),
    (("12:00:10-12:00:20", "2026-11-20T12:00:12", "2026-11-20T12:00:15"), 60.0, [(12.0, 15.0)]),
])  # fmt: skip
def test_the_allowed_parts_of_a_recording(
    bounds: tuple[str | None, ...], end: float, expected: list[tuple[float, float]]
) -> None:
    assert times_of(*bounds).intervals(NOON, end) == expected


def test_times_beyond_the_last_date_are_not_known() -> None:
    last = datetime(9999, 12, 31, 23, 59, 59)
    assert recorded_at(last, 0.5) == last + timedelta(seconds=0.5)
    assert recorded_at(last, 1.0) is None
    assert recorded_at(None, 1.0) is None
    assert times_of("8:00-9:00").seconds_until(last) is None
    assert times_of("23:00-24:00").intervals(last, 10.0) == [(0.0, 1.0)]


def test_metadata_that_says_no_time_is_refused_and_none_at_all_is_not() -> None:
    check_date({}, "recorded_at")
    check_date({"recorded_at": "2026-11-20T08:30"}, "recorded_at")
    for said in ("2026-11-20", "noon", 17, True):
        with pytest.raises(ValueError, match=r"^recorded_at: .* or choose another entry with search\.recorded_at$"):
            check_date({"recorded_at": said}, "recorded_at")


def record(name: str = "v1", **metadata: Any) -> VideoRecord:
    """A video of two seconds."""
    return video(name, "red", metadata=metadata)[0]


@pytest.mark.parametrize(("after", "is_skipped"), [(1.9, False), (2.0, False), (2.001, True)])
def test_a_video_that_ends_before_the_question_begins_is_skipped(after: float, is_skipped: bool) -> None:
    found = skipped_of(record(), as_query("red", {"after": after}), None, "recorded_at")
    assert (found is not None) == is_skipped
    if found is not None:
        assert (found.why, found.has_no_date, found.is_broken) == ("it ends at 2.000 s, before 2.001 s", False, False)


@pytest.mark.parametrize(("fields", "said", "why", "has_no_date"), [
    ({"time_of_day": "12:00-13:00"}, "2026-11-20T12:00", None, False),
    ({"time_of_day": "12:00:03-13:00"}, "2026-11-20T12:00", None, False),
    ({"time_of_day": "12:00:04-13:00"}, "2026-11-20T12:00", "its 2 s were recorded from 12:00:00 on", False),
    ({"recorded_from": "2026-11-21"}, "2026-11-20T12:00", "its 2 s were recorded from 2026-11-20 12:00:00 on", False),
    ({"recorded_from": "2026-11-21"}, None, "its metadata has no recording time", True),
    ({"recorded_from": "2026-11-21"}, "2026-11-22", "is a date without a time of day", True),
    ({"recorded_from": "2026-11-20T00:00Z"}, "2026-11-20T12:00", "has no time zone, but the question does", True),
    ({"recorded_from": "2026-11-20T00:00Z"}, "2026-11-20T12:00Z", None, False),
])  # fmt: skip
def test_a_video_that_was_recorded_at_another_time_is_skipped(
    fields: dict[str, str], said: str | None, why: str | None, has_no_date: bool
) -> None:
    query = as_query("red", fields)
    one = record() if said is None else record(recorded_at=said)
    found = skipped_of(one, query, query.recording_times, "recorded_at")
    assert (found is None) == (why is None)
    if found is not None:
        assert str(why) in found.why
        assert found.has_no_date == has_no_date
        assert (found.video_id, found.uri) == ("v1", "/videos/v1.mp4")


def chosen(
    *records: VideoRecord, videos: tuple[str, ...] = (), broken: tuple[str, ...] = (), **fields: Any
) -> Selection:
    errors = {name: StoreError(f"{name} is broken") for name in broken}
    return select(as_query("red", fields), videos, "recorded_at", lambda: (records, errors))


def test_a_selection_has_the_named_videos_that_pass_and_says_why_of_the_others() -> None:
    one, two, three = record("a", site="x"), record("b", site="y"), replace(record("c", site="x"), duration_seconds=9.0)
    assert chosen(one, two, three).video_ids == ("a", "b", "c")
    assert chosen(one, two, three, videos=("c", "b")).video_ids == ("b", "c")
    assert chosen(one, two, three, where={"site": "x"}).video_ids == ("a", "c")
    assert chosen(one, two, three, videos=("b",), where={"site": "x"}).video_ids == ()
    long = chosen(one, two, three, where={"site": "x"}, after=5)
    assert (long.video_ids, [each.video_id for each in long.skipped], long.hint) == (("c",), ["a"], "")


def test_what_cannot_be_read_is_skipped_where_it_is_asked_about() -> None:
    found = chosen(record("a"), broken=("x", "y"))
    assert [(each.video_id, each.why, each.is_broken) for each in found.skipped] == [
        ("x", "x is broken", True),
        ("y", "y is broken", True),
    ]
    assert [each.video_id for each in chosen(record("a"), videos=("a", "y"), broken=("x", "y")).skipped] == ["y"]


def test_a_hint_is_given_only_where_no_video_passes_the_metadata() -> None:
    assert "site is never" in chosen(record("a", site="x"), where={"site": "z"}).hint
    assert chosen(record("a", site="x"), where={"site": "x"}).hint == ""
    assert chosen(record("a", site="x"), videos=("none",)).hint == ""
    assert chosen(where={"site": "z"}).hint == ""
    with pytest.raises(QueryError, match="no video of this library has metadata"):
        chosen(record("a", site="x"), where={"side": "x"})


def test_what_restricts_a_question_is_told() -> None:
    def told(where: Filter = Filter((), {}), **fields: Any) -> str:  # noqa: B008 - never changed
        return described_filters(as_query("red", fields), where)

    assert told() == ""
    assert told(at_least=1) == ""
    assert told(at_least=2) == "at least 2 such moments in a video"
    assert told(after=0, before=9.5) == "from 0 s of each video on; before 9.5 s of each video"
    assert told(Filter(("a", "b"), {"site": "x"})) == "video a; video b; site = 'x'"
    assert told(time_of_day="8:00-9:00") == "time of day 8:00-9:00"
    assert told(recorded_from="2026-11-20") == "recorded from 2026-11-20 00:00:00 on"
    assert told(recorded_to="2026-11-20") == "recorded before 2026-11-21 00:00:00"
