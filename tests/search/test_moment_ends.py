"""Where moments begin, end, join and stop, to the frame: scores and times that a reader can add up."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.search import localization as moments
from pipeline.search.localization import (
    Curve,
    Levels,
    Span,
    best_rows,
    boundary,
    find_spans,
    grown_spans,
    peak_rows,
    unrolled,
)

LEVELS = Levels(0.0, 0.65, 0.5)


def curve_of(*scores: float, cuts: tuple[float, ...] = (), unseen_from: float | None = None) -> Curve:
    """Frames at 0, 1, 2, ... of a video that ends one second after the last."""
    count = float(len(scores))
    return Curve(np.arange(count), np.asarray(scores, np.float64), np.asarray(cuts, np.float64), count, unseen_from)


def grown(seed: int, curve: Curve, levels: Levels = LEVELS) -> tuple[float, float]:
    """Where the moment around a row begins and ends."""
    (span,) = grown_spans([seed], curve, levels)
    return span.start_seconds, span.end_seconds


def test_rows_are_those_at_the_start_and_none_at_the_end() -> None:
    assert curve_of(1, 1, 1, 1).rows(1.0, 3.0) == (1, 3)
    assert curve_of(1, 1, 1, 1).rows(1.5, 1.9) == (2, 2)


def test_the_best_row_is_the_first_of_equal_ones() -> None:
    curve = curve_of(0, 2, 1, 2, 5, 5)
    assert best_rows([(0.0, 4.0), (2.0, 4.0), (4.0, 6.0), (3.2, 3.8)], curve) == {1, 3, 4}


def test_a_span_has_its_best_frame_its_score_and_its_edge_level() -> None:
    (span,) = find_spans([(0.0, 6.0)], curve_of(0, 0, 4, 8, 4, 0), Levels(2.0, 0.65, 0.25))
    assert span == Span(1.5, 4.5, 3.0, 8.0, 0.5, 0.5)
    assert span.edge_level == 2.0 + 0.25 * 6.0


def test_edge_levels_make_no_difference_between_spans() -> None:
    assert Span(0, 1, 0, 1.0, edge_level=1.0) == Span(0, 1, 0, 1.0, edge_level=2.0)
    bare = Span(0, 1, 0, 1.0)
    assert (bare.start_uncertainty_seconds, bare.end_uncertainty_seconds, bare.edge_level) == (0.0, 0.0, 0.0)


# A neighbouring shot joins where its mean reaches the level exactly: 0.65 of 8 is 5.2.
@pytest.mark.parametrize(("left", "right", "expected"), [
    (5.2, 5.2, (0.0, 6.0)),
    (5.1999, 5.2, (2.0, 6.0)),
    (5.2, 5.1999, (0.0, 4.0)),
    (5.0, 5.0, (2.0, 4.0)),
])  # fmt: skip
def test_a_neighbouring_shot_joins_from_the_level_on(left: float, right: float, expected: tuple[float, float]) -> None:
    assert grown(2, curve_of(left, left, 8, 8, right, right, cuts=(2.0, 4.0))) == expected


def test_shots_join_one_after_another_and_none_behind_one_that_does_not() -> None:
    curve = curve_of(8, 8, 0, 7, 8, 7, 7, 7, 0, 8, cuts=(2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 9.0))
    spans = grown_spans([4], curve, LEVELS)
    assert [(span.start_seconds, span.end_seconds) for span in spans] == [(3.0, 8.0)]


def test_a_shot_joins_by_its_mean_and_is_cut_by_its_frames() -> None:
    # The mean of (7, 7, 2) is 5.33, above 5.2; the frame of 2 is below the edge level of 4.
    assert grown(0, curve_of(8, 8, 7, 7, 2, cuts=(2.0,))) == (0.0, 3.5)


@pytest.mark.parametrize(("dip", "expected"), [
    # What lies above 4 on both sides of the dip: a dip of as much is crossed, of more not.
    ((3.0,), 4.5),
    ((2.0, 2.0), 5.5),
    ((2.0, 1.999), 1.5),
    ((0.0, 0.0), 1.5),
])  # fmt: skip
def test_a_dip_is_crossed_where_what_follows_is_worth_it(dip: tuple[float, ...], expected: float) -> None:
    assert grown(1, curve_of(0, 8, *dip, 6, 6, 0, 0))[1] == expected


def test_frames_at_the_edge_level_belong_to_the_moment_on_both_sides() -> None:
    assert grown(3, curve_of(0, 4, 4, 8, 4, 4, 0)) == (0.5, 5.5)
    assert grown(3, curve_of(0, 3.999, 4, 8, 4, 3.999, 0)) == (1.5, 4.5)


def test_a_moment_of_one_frame() -> None:
    assert grown(2, curve_of(0, 0, 8, 0, 0)) == (1.5, 2.5)
    assert grown(0, curve_of(8, 0, 0)) == (0.0, 0.5)
    assert grown(2, curve_of(0, 0, 8)) == (1.5, 3.0)


def test_a_peak_below_the_base_counts_as_the_base() -> None:
    levels = Levels(5.0, 0.65, 0.5)
    assert (levels.merge(3.0), levels.edge(3.0)) == (3.0, 3.0)
    assert (levels.merge(9.0), levels.edge(9.0)) == pytest.approx((7.6, 7.0))


# From a base of 0 to a peak of 8: a video whose own base reaches 4 shows the thing throughout.
@pytest.mark.parametrize(
    ("own", "edge"), [(-1.0, 4.0), (0.0, 4.0), (2.0, 5.0), (3.999, 5.9995), (4.0, 4.0), (7.0, 4.0)]
)
def test_the_base_of_the_video_counts_up_to_midway(own: float, edge: float) -> None:
    assert Levels(0.0, 0.65, 0.5, own).edge(8.0) == pytest.approx(edge)


def test_the_seeds_are_taken_by_score_and_those_within_a_moment_make_none() -> None:
    curve = curve_of(0, 8, 7, 0, 0, 6, 5, 0)
    spans = grown_spans([6, 5, 2, 1], curve, LEVELS)
    assert [(span.best_seconds, span.start_seconds, span.end_seconds) for span in spans] == [
        (1, 0.5, 2.5),
        (5, 4.5, 6.5),
    ]


def test_of_equal_moments_the_earlier_is_first() -> None:
    spans = grown_spans([5, 1], curve_of(0, 8, 0, 0, 0, 8, 0), LEVELS)
    assert [span.best_seconds for span in spans] == [1, 5]


def test_of_equal_frames_the_first_is_the_best_of_a_moment() -> None:
    (span,) = grown_spans([2, 1], curve_of(0, 8, 8, 0), LEVELS)
    assert span.best_seconds == 1


def test_a_moment_ends_where_an_earlier_one_was_taken() -> None:
    """In a shot of its own it may touch one; the frame after the taken ones is its first."""
    curve = curve_of(8, 8, 5, 5, 5, 0, cuts=(2.0,))
    spans = grown_spans([0, 2], curve, LEVELS)
    assert [(span.start_seconds, span.end_seconds) for span in spans] == [(0.0, 2.0), (2.0, 4.5)]


@pytest.mark.parametrize("scores", [(8, 8, 3, 3, 0, 0), (0, 0, 3, 3, 8, 8)])
def test_a_slope_on_either_side_of_a_moment_is_none(scores: tuple[float, ...]) -> None:
    """The frames of 3 are above half of themselves, next to the moment and with no cut between."""
    curve = curve_of(*scores)
    assert [span.score for span in grown_spans([2, 3, int(curve.scores.argmax())], curve, LEVELS)] == [8]


@pytest.mark.parametrize("scores", [(8, 8, 3, 3, 0, 0), (0, 0, 3, 3, 8, 8)])
def test_behind_a_cut_the_same_frames_are_a_moment(scores: tuple[float, ...]) -> None:
    curve = curve_of(*scores, cuts=(2.0, 4.0))
    assert [span.score for span in grown_spans([2, 3, int(curve.scores.argmax())], curve, LEVELS)] == [8, 3]


def test_moments_that_a_frame_lies_between_are_two() -> None:
    spans = grown_spans([1, 3], curve_of(0, 8, 0, 7, 0), Levels(0.0, 0.65, 0.9))
    assert [(span.start_seconds, span.end_seconds) for span in spans] == [(0.5, 1.5), (2.5, 3.5)]


def test_a_moment_between_two_others_keeps_to_what_is_left() -> None:
    curve = curve_of(9, 9, 6, 6, 6, 9, 9, cuts=(2.0, 5.0))
    spans = grown_spans([0, 3, 5], curve, Levels(0.0, 0.9, 0.5))
    assert sorted((span.start_seconds, span.end_seconds) for span in spans) == [(0.0, 2.0), (2.0, 5.0), (5.0, 7.0)]


@pytest.mark.parametrize(("cuts", "expected"), [
    ((), (2.5, 0.5)),
    ((2.4,), (2.4, 0.0)),
    ((3.0,), (3.0, 0.0)),
    ((2.0,), (2.5, 0.5)),
    ((2.2, 2.8), (2.8, 0.0)),
    ((1.0, 2.0, 3.5), (2.5, 0.5)),
    ((1.0, 2.9, 3.1), (2.9, 0.0)),
])  # fmt: skip
def test_a_boundary_is_the_last_cut_after_one_frame_and_up_to_the_next(
    cuts: tuple[float, ...], expected: tuple[float, float]
) -> None:
    assert boundary(curve_of(0, 0, 0, 0, cuts=cuts), 3) == expected


def test_a_moment_at_the_end_is_certain_unless_others_follow_the_last_frame() -> None:
    (span,) = grown_spans([2], curve_of(0, 0, 8), LEVELS)
    assert (span.end_seconds, span.end_uncertainty_seconds) == (3.0, 0.0)
    (span,) = grown_spans([2], curve_of(0, 0, 8, unseen_from=2.2), LEVELS)
    assert (span.end_seconds, span.end_uncertainty_seconds) == pytest.approx((2.6, 0.4))
    (span,) = grown_spans([0], curve_of(8, 0, 0, unseen_from=2.2), LEVELS)
    assert (span.start_seconds, span.start_uncertainty_seconds, span.end_uncertainty_seconds) == (0.0, 0.0, 0.5)


@pytest.mark.parametrize(
    ("least", "expected"), [(0.0, {1, 4, 6}), (3.0, {1, 4, 6}), (3.1, {4, 6}), (5.0, {4, 6}), (5.1, {6})]
)
def test_peaks_reach_the_least_score(least: float, expected: set[int]) -> None:
    curve = curve_of(1, 3, 3, 2, 5, 5, 6, 0, cuts=(4.0, 6.0))
    assert peak_rows(curve, least) == expected


def test_a_shot_has_its_own_peaks_at_its_ends() -> None:
    assert peak_rows(curve_of(5, 1, 4, 4, 1, 5), 0.0) == {0, 2, 5}
    assert peak_rows(curve_of(1, 2, 3, 4, 5, 6, cuts=(3.0,)), 0.0) == {2, 5}
    assert peak_rows(curve_of(6, 5, 4, 3, 2, 1, cuts=(3.0,)), 0.0) == {0, 3}
    assert peak_rows(curve_of(2, 2, 2, 2, cuts=(2.0,)), 0.0) == {0, 2}
    assert peak_rows(curve_of(2), 3.0) == {0}


def test_cuts_outside_of_the_frames_make_no_shots() -> None:
    assert peak_rows(curve_of(1, 2, 1, cuts=(0.0, 0.5, 0.7, 2.5, 9.0)), 0.0) == {0, 1}


# unrolled: by a stated step, one picture for each look at which a frame was still there.
@pytest.mark.parametrize(("until", "expected"), [
    (0.0, [0.0]),
    (0.49, [0.0]),
    (0.5, [0.0, 0.5]),
    # Times are rounded to floats: a millionth of a step short is a step.
    (0.4999999, [0.0, 0.5]),
    (0.49999, [0.0]),
    (1.2, [0.0, 0.6, 1.2]),
    (1.5, [0.0, 0.5, 1.0, 1.5]),
])  # fmt: skip
def test_a_frame_counts_once_for_each_step_that_it_was_seen(until: float, expected: list[float]) -> None:
    times, scores = unrolled(np.array([0.0, 9.0]), np.array([3.0, 4.0]), np.array([until, 9.0]), 0.5)
    expected = [0.0] if len(expected) == 1 else np.linspace(0.0, until, len(expected)).tolist()
    assert times.tolist() == pytest.approx([*expected, 9.0])
    assert scores.tolist() == [3.0] * len(expected) + [4.0]


def test_pictures_that_are_laid_out_begin_at_the_frame_and_end_where_it_was_last_seen() -> None:
    times, scores = unrolled(np.array([1.0, 4.0]), np.array([3.0, 4.0]), np.array([2.5, 6.0]), 0.5)
    assert times.tolist() == [1.0, 1.5, 2.0, 2.5, 4.0, 4.5, 5.0, 5.5, 6.0]
    assert scores.tolist() == [3.0] * 4 + [4.0] * 5


def test_without_a_step_the_next_frame_says_what_it_was() -> None:
    """Frames at 0 (seen until 4) and at 5 (until 8) and at 10: steps of 1 and 2; the last one's is 1 at most."""
    times, _ = unrolled(np.array([0.0, 5.0, 10.0]), np.zeros(3), np.array([4.0, 8.0, 12.0]))
    assert times.tolist() == [0, 1, 2, 3, 4, 5, 6.5, 8, 10, 11, 12]


def test_without_a_step_half_the_median_is_the_least() -> None:
    """The steps are 2, 0.1 and 2: the second frame's is taken for 1."""
    times, _ = unrolled(np.array([0.0, 6.0, 10.1, 13.1]), np.zeros(4), np.array([4.0, 10.0, 11.1, 13.1]))
    assert times.tolist() == pytest.approx([0, 2, 4, 6, 7, 8, 9, 10, 10.1, 13.1])


@pytest.mark.parametrize(("until", "count"), [(9.0, 10), (0.4, 1), (0.6, 2)])
def test_without_a_step_a_single_frame_is_taken_to_be_looked_at_each_second(until: float, count: int) -> None:
    assert len(unrolled(np.array([0.0]), np.zeros(1), np.array([until]))[0]) == count


def test_without_a_step_the_last_frames_is_the_least_that_was_seen() -> None:
    # Steps of 0.25 and 0.5; half their median is less than both.
    times, _ = unrolled(np.array([0.0, 1.25, 2.5]), np.zeros(3), np.array([1.0, 2.0, 3.5]))
    assert times.tolist() == [*np.linspace(0, 1, 5), 1.25, 1.625, 2.0, *np.linspace(2.5, 3.5, 5)]


def test_without_a_step_the_last_frame_is_taken_to_be_looked_at_each_second_at_least() -> None:
    # Steps of four seconds, half of which is more than one.
    times, _ = unrolled(np.array([0.0, 4.0, 8.0]), np.zeros(3), np.array([0.0, 4.0, 10.0]))
    assert times.tolist() == [0, 4, 8, 9, 10]


def test_repeats_are_bounded_by_cutting_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "_MAX_REPEATS", 10)
    first, until = np.array([0.0, 100.0, 200.0]), np.array([2.0, 150.0, 1e300])
    times, scores = unrolled(first, np.array([1.0, 2.0, 3.0]), until, 1.0)
    # Of ten repeats the first frame takes two, and the others four each.
    assert [int((scores == score).sum()) for score in (1.0, 2.0, 3.0)] == [3, 5, 5]
    assert (times[0], times[2], times[3], times[7], times[-1]) == (0.0, 2.0, 100.0, 150.0, 1e300)


def test_repeats_up_to_the_bound_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "_MAX_REPEATS", 10)
    first = np.array([0.0, 100.0])
    assert [len(unrolled(first, np.zeros(2), first + lasting, 1.0)[0]) for lasting in (5.0, 5.5, 6.0)] == [12, 12, 12]
    assert len(unrolled(first, np.zeros(2), first + np.array([3.0, 9.0]), 1.0)[0]) == 2 + 3 + 7


def test_twelve_days_of_one_picture_a_second_are_the_most() -> None:
    times, _ = unrolled(np.array([0.0]), np.zeros(1), np.array([1e12]), 1e-300)
    assert len(times) == 2**20 + 1
