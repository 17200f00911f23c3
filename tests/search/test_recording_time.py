"""The time of day at which moments were recorded."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from contracts.word_world import video
from test_searcher import searcher_of

from pipeline.errors import QueryError
from pipeline.search import as_query
from pipeline.search.filters.recording_time import TimeOfDay, recording_begins
from pipeline.search.settings import Searching


@pytest.mark.parametrize(
    ("part", "inside", "outside"),
    [
        ("8:00-17:30", ["8:00:00", "17:29:59"], ["7:59:59", "17:30:00"]),
        ("22:00-6:00", ["22:00:00", "23:59:59", "0:00:00", "5:59:59"], ["6:00:00", "21:59:59"]),
        ("18:00 - 24:00", ["18:00:00", "23:59:59"], ["0:00:00", "17:59:59"]),
        ("24:00-1:00", ["0:00:00", "0:59:59"], ["1:00:00", "23:59:59"]),
        ("00:00-24:00", ["0:00:00", "12:00:00", "23:59:59"], []),
        ("12:30:15-12:30:17", ["12:30:15", "12:30:16"], ["12:30:14", "12:30:17"]),
    ],
)
def test_a_part_of_the_day_begins_and_ends_where_it_says(part: str, inside: list[str], outside: list[str]) -> None:
    found = TimeOfDay.parse(part)
    days = {text: datetime(2026, 11, 20, *map(int, text.split(":"))) for text in (*inside, *outside)}
    assert [text for text, time in days.items() if time in found] == inside


@pytest.mark.parametrize("part", ["8:00-17:30", "22:00-6:00", "0:00-24:00", "23:59:59-0:00:01"])
def test_a_recording_meets_a_part_of_the_day_in_which_any_of_its_seconds_lies(part: str) -> None:
    found = TimeOfDay.parse(part)
    for begins in (datetime(2026, 11, 20, hour, 59, 30) for hour in range(24)):
        for seconds in (0, 29, 600, 40_000, 90_000):
            is_in = any(begins + timedelta(seconds=second) in found for second in range(seconds + 1))
            # It may be a second generous, for the fractions.
            assert found.meets(begins, seconds) >= is_in
            assert found.meets(begins, seconds - 2) <= is_in


@pytest.mark.parametrize(
    "part", ["", "8-17", "8:00", "8:60-9:00", "25:00-26:00", "24:01-1:00", "9:00-9:00", "0:00-0:00"]
)
def test_what_is_no_part_of_a_day_is_refused(part: str) -> None:
    with pytest.raises(QueryError, match=r"time_of_day.*not a time of day"):
        as_query("red", {"time_of_day": part})


def test_a_message_states_the_given_value_once() -> None:
    with pytest.raises(QueryError) as refused:
        as_query("red", {"time_of_day": "8-17"})
    assert str(refused.value).count("'8-17'") == 1


@pytest.mark.parametrize(
    ("said", "begins"),
    [
        ("2026-11-20T08:30:00+01:00", datetime(2026, 11, 20, 8, 30, tzinfo=timezone(timedelta(hours=1)))),
        ("2026-11-20 08:30", datetime(2026, 11, 20, 8, 30)),
        ("20261120T083000.5", datetime(2026, 11, 20, 8, 30, 0, 500_000)),
        ("2026-11-20", None),
        (" 2026-11-20 08:30\n", datetime(2026, 11, 20, 8, 30)),
        ("this morning", None),
        (1_700_000_000, None),
        (None, None),
    ],
)
def test_metadata_says_when_a_recording_begins(said: str | int | None, begins: datetime | None) -> None:
    metadata = {} if said is None else {"recorded_at": said}
    assert recording_begins(metadata, "recorded_at") == begins


def test_only_what_was_recorded_at_that_time_of_day() -> None:
    """Ten minutes to ten in the evening; one begins a second before ten, and one does not say when."""
    shots = "red", "", "red", "", "red"
    begins = {"v1": "2026-11-19T21:50:00+01:00", "v2": "2026-11-20T21:59:55", "v3": None}
    videos = [video(name, *shots, metadata={"recorded_at": said} if said else None) for name, said in begins.items()]
    searcher, _ = searcher_of(*videos)
    answer = searcher.ask(as_query("red", {"time_of_day": "22:00-6:00"}))
    assert [(m.video_id, m.start_seconds, str(m.recorded_at)) for m in answer.moments] == [
        ("v2", 8, "2026-11-20 22:00:03")
    ]
    assert ("v2", "it was recorded at 21:59:59") in {(d.moment.video_id, d.why) for d in answer.explanation.dropped}
    assert {(one.video_id, one.why) for one in answer.explanation.skipped} == {
        ("v1", "its 10 s were recorded from 21:50:00 on"),
        (
            "v3",
            "its metadata has no recording time, such as recorded_at: 2026-11-20T08:30 (search.recorded_at)",
        ),
    }


def test_a_day_at_the_end_of_all_days_is_no_day() -> None:
    searcher, _ = searcher_of(video("v1", "", "red", metadata={"recorded_at": "9999-12-31T23:59:59"}))
    assert [moment.recorded_at for moment in searcher.ask(as_query("red")).moments] == [None]


def test_the_configuration_names_the_metadata() -> None:
    searcher, _ = searcher_of(
        video("v1", "red", metadata={"shot": "2026-11-20T08:30:00"}), settings=Searching(recorded_at="shot")
    )
    (moment,) = searcher.ask(as_query("red")).moments
    assert str(moment.recorded_at) == "2026-11-20 08:30:00"


def test_moments_at_another_time_do_not_hide_those_behind_them_in_the_index() -> None:
    """The index is asked for the videos of that time alone, however many others there are."""
    days = [video(f"d{number}", "red", metadata={"recorded_at": "2026-11-20T12:00"}) for number in range(10)]
    night = video("night", "red green", metadata={"recorded_at": "2026-11-20T23:00"})
    settings = Searching(candidates=2, top=2, same_picture=None, min_score=0.2)
    searcher, store = searcher_of(*days, night, settings=settings)
    answer = searcher.ask(as_query("red", {"time_of_day": "22:00-6:00"}))
    assert [moment.video_id for moment in answer.moments] == ["night"]
    assert {one.video_id for one in answer.explanation.candidates} == {"night"}
    assert (store.reads, len(answer.explanation.skipped)) == (1, 10)
