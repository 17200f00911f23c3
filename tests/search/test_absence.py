"""Questions for what is not there."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from contracts.word_world import DictStore, shown, video
from test_searcher import searcher_of

from pipeline.errors import QueryError, StoreError
from pipeline.search import Answer, Searching, as_query
from pipeline.search.absence import refuse_unknown_words
from pipeline.search.calibration import Calibration
from pipeline.search.query import Term
from pipeline.search.query_embedding import CalibratedTerm
from pipeline.search.scoring import CalibratedStep
from pipeline.types import FrameEmbeddings, VideoRecord

Video = tuple[VideoRecord, FrameEmbeddings]


def ask(*videos: Video, **fields: Any) -> Answer:
    return searcher_of(*videos)[0].ask(as_query({"shows": "red", "none": True, **fields}))


def stretches(answer: Answer) -> list[tuple[str, float, float, bool]]:
    return [(one.video_id, one.start_seconds, one.end_seconds, one.is_whole) for one in answer.absences]


def test_videos_and_stretches_without_it_are_listed() -> None:
    answer = ask(video("v1", "", "red", "green"), video("v2", "green", "blue"), video("v3", "red", "red"))
    assert stretches(answer) == [("v2", 0, 4, True), ("v1", 0, 2, False), ("v1", 4, 6, False)]
    assert (answer.found, answer.videos, answer.videos_without) == (3, 3, 1)
    assert (answer.moments, answer.nearest, answer.explanation.candidates) == ((), None, ())
    whole = answer.absences[0]
    assert (whole.frames, whole.largest_gap_seconds, whole.unsampled_seconds) == (8, 0.5, 0)
    assert whole.uri == "/videos/v2.mp4"
    assert whole.nearest_score < 0.5


def test_every_frame_is_in_an_absence_or_in_a_moment() -> None:
    """None that reaches the score is in an absence, and no absence overlaps a moment."""
    rng = np.random.default_rng(3)
    words = ["", "red", "green", "red green", "blue", "red blue"]
    videos = [video(f"v{n}", *rng.choice(words, 20).tolist()) for n in range(5)]
    searcher, store = searcher_of(*videos)
    for least in (0.05, 0.3, 0.5, 0.9):
        absent = searcher.ask(as_query({"shows": "red", "none": True, "min_score": least, "top": 1000})).absences
        moments = searcher.ask(as_query({"shows": "red", "min_score": least, "top": 1000})).moments
        assert absent
        for record, frames in store.kept.values():
            places = [[one for one in found if one.video_id == record.video_id] for found in (absent, moments)]
            in_absence, in_moment = (
                np.any(
                    [(frames.times_seconds >= p.start_seconds) & (frames.times_seconds < p.end_seconds) for p in found],
                    0,
                )
                if found
                else np.zeros(len(frames), np.bool_)
                for found in places
            )
            assert (in_absence ^ in_moment).all()
            assert all(one.is_whole == (not places[1]) for one in places[0])


def test_a_short_moment_within_is_not_passed_over() -> None:
    """The index hides one frame in a long segment; every sampled frame is looked at here."""
    record, frames = video("v1", *["blue"] * 60)
    vectors = frames.vectors.copy()
    vectors[101] = shown("red")
    answer = ask((record, replace(frames, vectors=vectors, cuts_seconds=())))
    assert stretches(answer) == [("v1", 0, 50.25, False), ("v1", 50.75, 120, False)]
    assert [one.end_uncertainty_seconds for one in answer.absences] == [0.25, 0]


def with_times(one: Video, times: list[float], *, end: float, **fields: Any) -> Video:
    record, frames = one
    rows = np.arange(len(times))
    made = replace(
        frames,
        pts=rows,
        times_seconds=np.asarray(times),
        vectors=frames.vectors[rows],
        cuts_seconds=(),
        duration_seconds=end,
        **fields,
    )
    return replace(record, frame_count=len(times), duration_seconds=end), made


def test_nothing_is_claimed_of_a_hole_in_what_was_sampled() -> None:
    """Twenty seconds are damaged, from 3 to 23; and the last five."""
    times = [0.0, 1.0, 2.0, 3.0, 23.0, 24.0, 25.0]
    answer = ask(with_times(video("v1", "", "", ""), times, end=30.0))
    assert stretches(answer) == [("v1", 0, 3, True), ("v1", 23, 25, True)]
    assert [one.unsampled_seconds for one in answer.absences] == [25, 25]
    assert answer.videos_without == 1


def test_a_picture_that_stays_on_screen_was_looked_at() -> None:
    times, until = [0.0, 1.0, 20.0], [0.0, 19.0, 29.0]
    held = with_times(video("v1", "", ""), times, end=30.0, seen_until_seconds=np.asarray(until), step_seconds=1.0)
    (one,) = ask(held).absences
    assert (one.start_seconds, one.end_seconds, one.frames, one.unsampled_seconds) == (0, 30, 30, 0)


def test_one_frame_of_a_long_video_says_next_to_nothing() -> None:
    record, frames = with_times(video("v1", ""), [4.0], end=60.0)
    answer = ask((record, frames))
    assert (stretches(answer), answer.videos_without) == ([], 1)
    (one,) = ask((record, replace(frames, step_seconds=30.0))).absences
    assert (one.start_seconds, one.end_seconds) == (0, 60)


def test_only_in_some_videos() -> None:
    videos = [video(name, "green", metadata={"camera": name[0], "floor": "1"}) for name in ("a1", "a2", "b1")]
    assert {one.video_id for one in ask(*videos, where={"camera": "a"}).absences} == {"a1", "a2"}
    assert {one.video_id for one in ask(*videos, videos=["b1"]).absences} == {"b1"}
    explained = ask(*videos, videos=["a1"], where={"camera": "a", "floor": "1"}).explanation
    assert explained.filters == "video a1; camera = 'a'; floor = '1'"
    answer = ask(*videos, where={"camera": "c"})
    assert (answer.videos, answer.explanation.hint) == (0, "camera is never 'c'; it is 'a', 'b'")
    with pytest.raises(QueryError, match="did you mean 'camera'"):
        ask(*videos, where={"camra": "a"})


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"after": 3}, [("v1", 4, 8, False)]),
        ({"before": 2}, [("v1", 0, 2, True)]),
        ({"after": 5, "before": 7}, [("v1", 5, 7, True)]),
        # It begins four seconds before midnight.
        ({"recorded_to": "2026-11-20"}, [("v1", 0, 2, False)]),
        ({"recorded_from": "2026-11-21"}, [("v1", 4, 8, True)]),
        (
            {"recorded_from": "2026-11-20T23:59:57", "recorded_to": "2026-11-21T00:00:01"},
            [("v1", 1, 2, False), ("v1", 4, 5, False)],
        ),
        ({"time_of_day": "0:00:01-0:00:03"}, [("v1", 5, 7, True)]),
        ({"recorded_from": "2026-11-21", "time_of_day": "23:00-0:00:02"}, [("v1", 4, 6, True)]),
    ],
)
def test_only_in_a_part(fields: dict[str, Any], wanted: list[tuple[str, float, float, bool]]) -> None:
    """What shows outside of the part says nothing against it."""
    one = video("v1", "green", "red", "green", "green", metadata={"recorded_at": "2026-11-20T23:59:56"})
    answer = ask(one, **fields)
    assert stretches(answer) == wanted
    start = answer.absences[0].start_seconds
    assert answer.absences[0].recorded_at == datetime(2026, 11, 20, 23, 59, 56) + np.timedelta64(int(start), "s").item()


def test_videos_without_a_date_are_not_claimed_and_counted() -> None:
    videos = [
        video("v1", "green", metadata={"recorded_at": "2026-11-20T08:00"}),
        video("v2", "green", metadata={"recorded_at": "20.11.2026"}),
        video("v3", "green"),
    ]
    answer = ask(*videos, recorded_from="2026-11-20")
    assert stretches(answer) == [("v1", 0, 2, True)]
    assert {one.video_id for one in answer.explanation.skipped if one.has_no_date} == {"v2", "v3"}
    assert answer.videos == 1


def test_a_part_between_two_sampled_frames_is_not_claimed() -> None:
    answer = ask(video("v1", "green"), after=0.6, before=0.9)
    assert (answer.absences, answer.videos) == ((), 0)
    assert "no frame was sampled in the time range" in answer.explanation.skipped[0].why


def test_a_video_whose_frames_are_broken_is_not_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    searcher, _ = searcher_of(video("v1", "green"), video("v2", "green"))
    read = DictStore.read

    def broken(store: DictStore, video_id: str) -> FrameEmbeddings:
        if video_id == "v1":
            raise StoreError("v1: is broken")
        return read(store, video_id)

    monkeypatch.setattr(DictStore, "read", broken)
    answer = searcher.ask(as_query({"shows": "red", "none": True}))
    assert {one.video_id for one in answer.absences} == {"v2"}
    assert [(one.video_id, one.is_broken) for one in answer.explanation.skipped] == [("v1", True)]


def test_all_that_a_frame_must_and_must_not_show() -> None:
    one = video("v1", "red", "red green", "green")
    settings = Searching(min_score=0.05, same_picture=None)
    searcher, _ = searcher_of(one, settings=settings)
    both = searcher.ask(as_query({"shows": ["red", "green"], "none": True}))
    without = searcher.ask(as_query({"shows": "red", "without": "green", "none": True}))
    assert [(a.start_seconds, a.end_seconds) for a in both.absences] == [(0, 2), (4, 6)]
    assert [(a.start_seconds, a.end_seconds) for a in without.absences] == [(2, 6)]


def test_pages_follow_one_another() -> None:
    videos = [video(f"v{n}", "green") for n in range(5)]
    pages = [ask(*videos, top=2, page=page) for page in (1, 2, 3, 4)]
    assert [[one.video_id for one in page.absences] for page in pages] == [["v0", "v1"], ["v2", "v3"], ["v4"], []]
    assert {(page.found, page.videos_without) for page in pages} == {(5, 5)}


@pytest.mark.parametrize(
    "fields", [{"then": [{"shows": "green"}]}, {"at_least": 2}, {"per_video": 1}, {"refine": True}]
)
def test_what_is_of_moments_alone_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(QueryError, match=f"`none` cannot be combined with {next(iter(fields))}"):
        as_query({"shows": "red", "none": True, **fields})


@pytest.mark.parametrize("place", ["shows", "without"])
def test_words_that_the_model_does_not_know_are_refused(place: str) -> None:
    """It finds them nowhere, which is no absence."""
    known = CalibratedTerm(Term(text="red"), shown("red"), Calibration(0.5, 40.0, 5.0))
    unknown = replace(known, unknown_words=("zorblax", "Quux"))
    step = CalibratedStep((known, unknown)) if place == "shows" else CalibratedStep((known,), (unknown,))
    with pytest.raises(
        QueryError, match=r"the model does not know: zorblax, Quux; .* rephrase the question in other words"
    ):
        refuse_unknown_words(step)
    refuse_unknown_words(CalibratedStep((known,), (known,)))


def test_many_questions_can_ask_for_both() -> None:
    searcher, _ = searcher_of(video("v1", "red", "green"))
    questions = [as_query("red"), as_query({"shows": "red", "none": True})]
    found, absent = searcher.ask_all(questions)
    assert (len(found.moments), stretches(absent)) == (1, [("v1", 2, 4, False)])
