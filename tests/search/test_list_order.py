"""What is listed, in which order, and what falls out: limits reached exactly, ties, copies, earlier pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from pipeline.search import as_query
from pipeline.search.localization import Span
from pipeline.search.ranking import FoundMoment, Ranking, rank
from pipeline.types import Moment

NOON = datetime(2026, 11, 20, 12)


def one(
    video_id: str = "a",
    start: float = 0.0,
    length: float = 4.0,
    *,
    log_odds: float = 2.0,
    score: float = 0.9,
    best: float | None = None,
    picture: int | tuple[float, float] = 0,
    shown: tuple[float, float] | None = None,
    recorded_at: datetime | None = None,
) -> FoundMoment:
    """A moment of a picture, which is a number of an axis or two coordinates."""
    vector = np.zeros(64, np.float32)
    if isinstance(picture, tuple):
        vector[:2] = picture
    else:
        vector[picture] = 1
    seconds = start if best is None else best
    moment = Moment(
        video_id=video_id,
        uri=f"/{video_id}.mp4",
        start_seconds=start,
        end_seconds=start + length,
        best_seconds=seconds,
        score=score,
        recorded_at=recorded_at,
    )
    span = Span(start, start + length, seconds, log_odds)
    return FoundMoment(moment, log_odds, vector, (span,), shown)


def ranked(
    *found: FoundMoment,
    first: tuple[FoundMoment, ...] = (),
    min_score: float = 0.5,
    same: float | None = None,
    **fields: Any,
) -> Ranking:
    return rank(found, as_query("x", fields), min_score=min_score, same_picture=same, first=first)


def listed(ranking: Ranking) -> list[tuple[str, float]]:
    return [(found.moment.video_id, found.moment.start_seconds) for found in ranking.found]


def reasons(ranking: Ranking) -> list[str]:
    return [dropped.why for dropped in ranking.dropped]


def test_log_odds_rank_where_scores_are_one_to_the_last_bit() -> None:
    found = (
        one("a", log_odds=40.0, score=1.0),
        one("b", log_odds=40.0 + 1e-12, score=1.0),
        one("c", log_odds=41.0, score=1.0),
    )
    assert listed(ranked(*found)) == [("c", 0), ("b", 0), ("a", 0)]


def test_ties_are_listed_by_video_and_then_by_start() -> None:
    found = one("b", 4.0), one("b", 0.0), one("a", 8.0), one("a", 16.0)
    assert listed(ranked(*found)) == [("a", 8), ("a", 16), ("b", 0), ("b", 4)]


def test_a_score_that_is_reached_is_enough_and_the_best_of_the_others_is_the_nearest() -> None:
    ranking = ranked(one("a", score=0.5), one("b", score=0.4999, log_odds=1.0), one("c", score=0.3, log_odds=0.0))
    assert listed(ranking) == [("a", 0)]
    assert reasons(ranking) == ["its score is below 0.5"] * 2
    assert ranking.nearest is not None
    assert ranking.nearest.video_id == "b"
    assert ranked(one()).nearest is None


def test_what_is_nearest_is_what_the_question_allows() -> None:
    ranking = ranked(one("a", 0.0, score=0.4), one("b", 50.0, score=0.3, log_odds=1.0), after=10)
    assert ranking.nearest is not None
    assert ranking.nearest.video_id == "b"


@pytest.mark.parametrize(("best", "why"), [
    (9.999, "its best frame is before 10 s"),
    (10.0, None),
    (19.999, None),
    (20.0, "its best frame is not before 20 s"),
])  # fmt: skip
def test_the_best_frame_lies_from_after_on_and_before_before(best: float, why: str | None) -> None:
    assert reasons(ranked(one(start=5.0, length=20.0, best=best), after=10, before=20)) == (
        [] if why is None else [why]
    )


@pytest.mark.parametrize(("shown", "fields", "best"), [
    # It stays from 5 s to 30 s.
    ((5.0, 30.0), {"after": 10}, 10.0),
    ((5.0, 30.0), {"after": 30}, 30.0),
    ((5.0, 30.0), {"after": 30.001}, None),
    ((5.0, 30.0), {"after": 10, "before": 10.5}, 10.0),
    ((5.0, 30.0), {"after": 5}, 5.0),
    ((5.0, 30.0), {"before": 5}, None),
    (None, {"after": 10}, None),
])  # fmt: skip
def test_a_frame_that_stays_counts_from_the_first_second_that_is_allowed(
    shown: tuple[float, float] | None, fields: dict[str, float], best: float | None
) -> None:
    ranking = ranked(one(start=5.0, length=30.0, shown=shown), **fields)
    assert [found.moment.best_seconds for found in ranking.found] == ([] if best is None else [best])


def test_a_frame_that_is_allowed_where_it_is_best_is_not_moved() -> None:
    """Its picture was on screen before, from 5 s on."""
    (found,) = ranked(one(start=5.0, length=30.0, best=12.0, shown=(5.0, 30.0)), after=10).found
    assert found.moment.best_seconds == 12.0


@pytest.mark.parametrize(("until", "listed_at"), [(3600.0, 3600.0), (3599.0, None)])
def test_a_frame_that_stays_until_the_time_of_day_is_moved_there_with_its_date(
    until: float, listed_at: float | None
) -> None:
    found = one(length=7200.0, shown=(0.0, until), recorded_at=NOON)
    ranking = ranked(found, time_of_day="13:00-14:00")
    assert [(each.moment.best_seconds, str(each.moment.recorded_at)) for each in ranking.found] == (
        [] if listed_at is None else [(listed_at, "2026-11-20 13:00:00")]
    )


def test_after_and_the_time_of_day_are_both_waited_for() -> None:
    found = one(length=9000.0, shown=(0.0, 8000.0), recorded_at=NOON)
    (moved,) = ranked(found, time_of_day="13:00-15:00", after=4000).found
    assert (moved.moment.best_seconds, str(moved.moment.recorded_at)) == (4000.0, "2026-11-20 13:06:40")
    (moved,) = ranked(found, time_of_day="13:00-15:00", after=2000).found
    assert moved.moment.best_seconds == 3600.0


def test_why_a_moment_was_recorded_at_another_time() -> None:
    assert reasons(ranked(one(recorded_at=NOON), time_of_day="13:00-14:00")) == ["it was recorded at 12:00:00"]
    assert reasons(ranked(one(recorded_at=NOON), recorded_from="2026-11-21")) == [
        "it was recorded at 2026-11-20 12:00:00"
    ]
    assert reasons(ranked(one(), time_of_day="13:00-14:00")) == ["its recording time is unknown"]
    assert listed(ranked(one(recorded_at=NOON), time_of_day="12:00-13:00")) == [("a", 0)]


@pytest.mark.parametrize(("at_least", "kept"), [(1, 3), (2, 2), (3, 0)])
def test_a_video_needs_so_many_moments(at_least: int, kept: int) -> None:
    ranking = ranked(one("a", 0.0), one("a", 9.0), one("b"), at_least=at_least)
    assert len(ranking.found) == kept
    if at_least == 3:
        assert set(reasons(ranking)) == {"its video has 2 of 3 such moments", "its video has 1 of 3 such moments"}


def test_moments_that_fall_out_otherwise_do_not_count_towards_a_videos_number() -> None:
    assert ranked(one("a", 0.0), one("a", 9.0, score=0.1), at_least=2).found == ()
    assert len(ranked(one("a", 9.0), first=(one("a", 0.0),), at_least=2).found) == 2


@pytest.mark.parametrize(("per_video", "kept"), [(1, [("a", 0), ("b", 0)]), (2, [("a", 0), ("a", 9), ("b", 0)])])
def test_of_a_video_only_so_many_are_listed(per_video: int, kept: list[tuple[str, float]]) -> None:
    found = one("a", 0.0, log_odds=9.0), one("a", 9.0, log_odds=8.0), one("a", 20.0, log_odds=7.0), one("b")
    ranking = ranked(*found, per_video=per_video)
    assert listed(ranking) == kept
    assert set(reasons(ranking)) == {f"its video has {per_video} better ones"}


@pytest.mark.parametrize(
    ("start", "is_listed"), [(4.0, False), (10.0, True), (9.999, False), (1.0, True), (1.001, False)]
)
def test_a_moment_that_touches_one_of_the_first_page_is_listed_and_one_that_overlaps_it_is_not(
    start: float, is_listed: bool
) -> None:
    """The first has seconds 5 to 10; the others last four seconds."""
    first = one("a", 5.0, 5.0)
    ranking = ranked(one("a", start), first=(first,))
    assert listed(ranking) == [("a", 5), *([("a", start)] if is_listed else [])]
    assert reasons(ranking) == []
    assert listed(ranked(one("b", start), first=(first,))) == [("a", 5), ("b", start)]


def test_the_first_page_stays_in_front_of_what_scores_more() -> None:
    first = one("b", log_odds=1.0), one("c", log_odds=3.0)
    assert listed(ranked(one("a", log_odds=9.0), first=first)) == [("b", 0), ("c", 0), ("a", 0)]


def test_a_sequence_that_overlaps_one_of_the_first_page_in_any_step_is_not_listed() -> None:
    def sequence(*starts: float) -> FoundMoment:
        return replace(one("a", starts[0]), spans=tuple(Span(start, start + 2, start, 1.0) for start in starts))

    first = (sequence(0.0, 20.0),)
    assert len(ranked(sequence(40.0, 21.0), first=first).found) == 1
    assert len(ranked(sequence(40.0, 22.0), first=first).found) == 2
    # Steps are compared with the same step alone.
    assert len(ranked(sequence(20.0, 40.0), first=first).found) == 2


def alike(cosine: float) -> tuple[float, float]:
    return cosine, float(np.sqrt(1 - cosine**2))


@pytest.mark.parametrize(("cosine", "is_copy"), [(1.0, True), (0.75, True), (0.7499, False), (-1.0, False)])
def test_copies_have_the_cosine_of_the_setting_at_least(cosine: float, is_copy: bool) -> None:
    ranking = ranked(one("a", log_odds=3.0), one("b", picture=alike(cosine)), same=0.75)
    assert len(ranking.found) == (1 if is_copy else 2)


# As long is at most a tenth and half a second more, either way.
@pytest.mark.parametrize(("length", "is_copy"), [(11.5, True), (11.51, False), (10.0, True), (8.7, True), (8.6, False)])
def test_copies_are_about_as_long(length: float, is_copy: bool) -> None:
    ranking = ranked(one("a", 3.0, 10.0, log_odds=3.0), one("b", 70.0, length), same=0.99)
    assert len(ranking.found) == (1 if is_copy else 2)


def test_a_copy_is_named_with_its_original_and_ranked_below_it() -> None:
    found = one("a", 3.0, log_odds=3.0), one("b", 8.0, log_odds=2.0), one("c", 9.0, log_odds=1.0)
    ranking = ranked(*found, same=0.99)
    (kept,) = ranking.found
    assert [(copy.video_id, copy.start_seconds) for copy in kept.moment.copies] == [("b", 8), ("c", 9)]
    assert reasons(ranking) == ["a copy of /a.mp4 at 3.00 s"] * 2


def test_what_resembles_a_copy_alone_is_none() -> None:
    """a and b are alike, and b and c, but a and c are not; b is no original."""
    angles = np.radians([0, 8, 16])
    found = [
        one(name, log_odds=odds, picture=(float(np.cos(angle)), float(np.sin(angle))))
        for name, odds, angle in zip("abc", (3.0, 2.0, 1.0), angles, strict=True)
    ]
    assert listed(ranked(*found, same=0.99)) == [("a", 0), ("c", 0)]


def test_of_several_originals_the_best_has_the_copy() -> None:
    found = one("a", log_odds=3.0), one("a", 50.0, log_odds=2.5), one("b", log_odds=2.0)
    ranking = ranked(*found, same=0.99)
    assert [len(each.moment.copies) for each in ranking.found] == [1, 0]


def test_moments_of_one_video_are_no_copies_and_none_are_where_none_are_wanted() -> None:
    assert len(ranked(one("a"), one("a", 50.0), same=0.99).found) == 2
    assert len(ranked(one("a"), one("b"), same=None).found) == 2
    assert ranked(same=0.99).found == ()


def test_a_copy_counts_for_the_number_of_its_video_and_not_for_what_is_listed_of_it() -> None:
    """The copy of a's first moment falls out before the videos' moments are counted off."""
    found = one("a", log_odds=9.0), one("b", log_odds=8.0), one("b", 50.0, log_odds=7.0, picture=3)
    assert listed(ranked(*found, same=0.99, at_least=1, per_video=1)) == [("a", 0), ("b", 50)]
    assert listed(ranked(*found, same=0.99, at_least=2)) == [("b", 0), ("b", 50)]
