"""Questions for dates of recording, and videos whose metadata says none."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from contracts.word_world import video
from test_searcher import searcher_of

from pipeline.errors import QueryError
from pipeline.search import Answer, Searching, as_query
from pipeline.search.filters.recording_time import RecordingTimes, date_problem

BEGINS = {
    "a": "2026-11-19T23:59:56",
    "b": "2026-11-20T12:00:00+01:00",
    "c": "2026-11-21T05:59:57Z",
    "d": "2026-11-22T00:00:00",
}


def ask(begins: dict[str, Any], **fields: Any) -> Answer:
    """Red in the first, the middle and the last two of ten seconds."""
    videos = [
        video(name, "red", "", "red", "", "red", metadata={} if said is None else {"recorded_at": said})
        for name, said in begins.items()
    ]
    return searcher_of(*videos)[0].ask(as_query("red", fields))


def found(answer: Answer) -> list[tuple[str, float]]:
    return sorted((moment.video_id, moment.start_seconds) for moment in answer.moments)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        # A date is the whole day: of one that begins before midnight what lies behind it.
        ({"recorded_from": "2026-11-20", "recorded_to": "2026-11-20"}, ["a4", "a8", "b0", "b4", "b8"]),
        ({"recorded_to": "2026-11-19"}, ["a0"]),
        ({"recorded_from": "2026-11-20", "recorded_to": "2026-11-21T06:00"}, ["a4", "a8", "b0", "b4", "b8", "c0"]),
        ({"recorded_from": "2026-11-21T06:00"}, ["c4", "c8", "d0", "d4", "d8"]),
        ({"recorded_from": "20261122"}, ["d0", "d4", "d8"]),
        ({"recorded_from": "2026-11-20", "time_of_day": "22:00-6:00"}, ["a4", "a8", "c0", "d0", "d4", "d8"]),
    ],
)
def test_only_what_was_recorded_between_dates(fields: dict[str, str], wanted: list[str]) -> None:
    answer = ask(BEGINS, **fields)
    assert [f"{name}{start:.0f}" for name, start in found(answer)] == wanted
    assert answer.found == len(wanted)


def test_a_bound_with_a_zone_is_an_instant() -> None:
    """Noon at +01:00 is 11:00 UTC; what names no zone cannot be compared, and the answer says so."""
    answer = ask(BEGINS, recorded_from="2026-11-20T11:00:04Z", recorded_to="2026-11-20T11:30Z")
    assert found(answer) == [("b", 4), ("b", 8)]
    skipped = {one.video_id: one for one in answer.explanation.skipped}
    assert set(skipped) == {"a", "c", "d"}
    assert [name for name, one in skipped.items() if one.has_no_date] == ["a", "d"]
    assert skipped["d"].why == (
        "its metadata recorded_at: '2026-11-22T00:00:00' has no time zone, but the question does; ask without a zone"
    )


def test_all_videos_that_are_left_out_are_told_with_the_reason() -> None:
    begins = {"a": None, "b": "21.11.2026 14:30", "c": 1_795_000_000, "d": "2026-11-21", "e": "2026-11-20T08:00"}
    answer = ask({**begins, "f": "2026-11-25T08:00"}, recorded_to="2026-11-21", top=1)
    assert {moment.video_id for moment in answer.moments} == {"e"}
    why = {one.video_id: (one.why, one.has_no_date) for one in answer.explanation.skipped}
    assert why["f"] == ("its 10 s were recorded from 2026-11-25 08:00:00 on", False)
    assert {name for name, (_, has_no_date) in why.items() if has_no_date} == {"a", "b", "c", "d"}
    assert why["b"][0].startswith("its metadata recorded_at: '21.11.2026 14:30' is not an ISO 8601 date and time")
    assert "2026-11-20T08:30" in why["b"][0]
    assert "a number does not state local time" in why["c"][0]
    assert "without a time of day" in why["d"][0]


def test_those_that_other_filters_leave_out_are_not_told() -> None:
    videos = [video(name, "red", metadata={"camera": name}) for name in "ab"]
    answer = searcher_of(*videos)[0].ask(as_query("red", {"recorded_to": "2026-11-21", "where": {"camera": "a"}}))
    assert [one.video_id for one in answer.explanation.skipped] == ["a"]


@pytest.mark.parametrize("ids_a_filter", [1, 3, 1000])
def test_a_day_among_many_is_found(ids_a_filter: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index is asked for videos of the day, in parts, and pages are the same in whatever parts."""
    monkeypatch.setattr("pipeline.search.searcher._MAX_FILTER_IDS", ids_a_filter)
    others = [video(f"d{n}", "red", metadata={"recorded_at": "2026-11-19T12:00"}) for n in range(30)]
    wanted = [video(f"v{n}", "red green", metadata={"recorded_at": "2026-11-20T12:00"}) for n in range(7)]
    settings = Searching(candidates=2, top=2, same_picture=None, min_score=0.2)
    searcher, store = searcher_of(*others, *wanted, settings=settings)
    pages = [searcher.ask(as_query("red", {"recorded_from": "2026-11-20", "page": page})) for page in (1, 2, 3, 4)]
    assert [[m.video_id for m in page.moments] for page in pages] == [["v0", "v1"], ["v2", "v3"], ["v4", "v5"], ["v6"]]
    assert store.reads == 7


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            {"recorded_from": "21.11.2026"},
            "recorded_from: .*not a date: '21.11.2026'; write an ISO 8601 date, as 2026-11-20",
        ),
        ({"recorded_to": "yesterday"}, "recorded_to: .*not a date"),
        ({"recorded_to": "9999-12-31"}, "recorded_to: .*not a date"),
        ({"recorded_from": "2026-11-21", "recorded_to": "2026-11-20"}, "'2026-11-20' is not later than '2026-11-21'"),
        ({"recorded_from": "2026-11-20T08:00", "recorded_to": "2026-11-20T08:00"}, "is not later than"),
        ({"recorded_from": "2026-11-20T08:00Z", "recorded_to": "2026-11-20"}, "a time zone in both, or in neither"),
        ({"recorded_from": 20261120}, "recorded_from"),
    ],
)
def test_what_is_no_date_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(QueryError, match=problem):
        as_query("red", fields)


@pytest.mark.parametrize(
    "said", ["2026-11-20T08:30", "2026-11-20 08:30:00.5+01:00", "20261120T0830Z", " 2026-11-20 08:30\n"]
)
def test_a_date_and_time_is_no_problem(said: str) -> None:
    assert date_problem(said) is None


@pytest.mark.parametrize(
    "said", ["21.11.2026 14:30", "11/21/2026 2:30 PM", "2026-11-20", 1_700_000_000, 1.5, True, "", "x"]
)
def test_all_else_is_one_with_the_form_that_is_wanted(said: Any) -> None:
    assert "2026-11-20T08:30:00+01:00" in str(date_problem(said))


@pytest.mark.parametrize(
    ("fields", "filters"),
    [
        ({"time_of_day": "22:00-6:00"}, "time of day 22:00-6:00"),
        (
            {"recorded_from": "2026-11-20", "recorded_to": "2026-11-21"},
            "recorded from 2026-11-20 00:00:00 on; recorded before 2026-11-22 00:00:00",
        ),
        ({"after": 1, "before": 90}, "from 1 s of each video on; before 90 s of each video"),
        ({"at_least": 2}, "at least 2 such moments in a video"),
        ({"videos": ["a"], "where": {"recorded_at": BEGINS["a"]}}, f"video a; recorded_at = '{BEGINS['a']}'"),
        ({"top": 3, "per_video": 1, "min_score": 0.3}, ""),
    ],
)
def test_the_explanation_names_every_filter(fields: dict[str, Any], filters: str) -> None:
    assert ask(BEGINS, **fields).explanation.filters == filters


@pytest.mark.parametrize(
    "bounds",
    [
        {"time_of_day": "22:00-6:00"},
        {"recorded_from": "2026-11-20", "recorded_to": "2026-11-21T06:00"},
        {"time_of_day": "8:00-8:10", "recorded_from": "2026-11-20T08:05"},
        {"time_of_day": "0:00-24:00", "recorded_to": "2026-11-21"},
        {"recorded_from": "2026-11-20T23:00Z", "recorded_to": "2026-11-21T02:00+02:00"},
    ],
)
@pytest.mark.parametrize("zone", ["", "+01:00"])
def test_the_allowed_parts_of_a_recording_hold_the_times_that_are_allowed(bounds: dict[str, str], zone: str) -> None:
    times = RecordingTimes.of(**bounds)
    assert times is not None
    begins = datetime.fromisoformat(f"2026-11-19T07:31:10{zone}")
    parts = times.intervals(begins, 200_000)
    for second in range(0, 200_000, 293):
        is_in = any(start <= second < end for start, end in parts)
        assert is_in == (begins + timedelta(seconds=second) in times)
    assert all(before[1] < after[0] for before, after in pairwise(parts)) or "24:00" in str(bounds)
