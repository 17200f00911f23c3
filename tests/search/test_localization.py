from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.search.localization import Curve, Levels, Span, find_spans, grown_spans, peak_rows, quantile, unrolled
from pipeline.testing.examples import examples

Case = tuple[list[tuple[float, float]], Curve]
WHOLE = [(0.0, 1000.0)]


def found(
    intervals: list[tuple[float, float]],
    scores: list[float],
    *,
    cuts: tuple[float, ...] = (),
    base: float = 0.2,
    merge_ratio: float = 0.65,
    edge_ratio: float = 0.5,
) -> list[Span]:
    """Spans of frames at 0, 1, 2, ... in a video that ends one second after the last."""
    curve = Curve(np.arange(len(scores)) * 1.0, np.asarray(scores), np.asarray(cuts, np.float64), float(len(scores)))
    return find_spans(intervals, curve, Levels(base, merge_ratio, edge_ratio))


def bounds(spans: list[Span]) -> list[tuple[float, float]]:
    return [(span.start_seconds, span.end_seconds) for span in spans]


def test_a_shot_that_shows_it_throughout_is_the_moment() -> None:
    spans = found([(3.5, 6.2)], [0.2] * 4 + [0.3, 0.31, 0.3] + [0.2] * 2, cuts=(3.5, 6.2))
    assert spans == [Span(3.5, 6.2, 5.0, 0.31)]


def test_neighbouring_shots_that_score_alike_join() -> None:
    scores = [0.2, 0.2, 0.3, 0.3, 0.29, 0.29, 0.2, 0.2]
    spans = found([(2.0, 4.0), (4.0, 6.0)], scores, cuts=(2.0, 4.0, 6.0))
    assert bounds(spans) == [(2.0, 6.0)]


def test_a_video_whose_every_shot_was_nominated_is_not_swallowed() -> None:
    shots = [(0.0, 2.0), (2.0, 4.0), (4.0, 6.0)]
    spans = found(shots, [0.24, 0.24, 0.3, 0.3, 0.24, 0.24], cuts=(2.0, 4.0))
    assert bounds(spans) == [(2.0, 4.0), (0.0, 2.0), (4.0, 6.0)]


def test_a_long_shot_is_cut_at_half_height_midway_between_frames() -> None:
    assert found(WHOLE, [0.2, 0.2, 0.24, 0.27, 0.3, 0.26, 0.2, 0.2]) == [Span(2.5, 5.5, 4.0, 0.3, 0.5, 0.5)]


def test_a_picture_that_stayed_the_same_counts_until_it_changed() -> None:
    times, until = np.array([0.0, 20.0, 25.0]), np.array([19.0, 24.0, 60.0])
    curve = Curve(*unrolled(times, np.array([0.2, 0.3, 0.2]), until), np.empty(0), 61.0)
    assert bounds(find_spans(WHOLE, curve, Levels(0.2, 0.65, 0.5))) == [(19.5, 24.5)]


def test_a_moment_crosses_the_border_of_segments_that_is_no_cut() -> None:
    scores = [0.2] * 6 + [0.3] * 4 + [0.2] * 6
    spans = found([(0.0, 8.0), (8.0, 16.0)], scores)
    assert bounds(spans) == [(5.5, 9.5)]


def test_a_dip_of_one_frame_does_not_end_a_moment() -> None:
    assert bounds(found(WHOLE, [0.2, 0.3, 0.3, 0.22, 0.3, 0.3, 0.2, 0.2])) == [(0.5, 5.5)]


def test_a_long_dip_ends_a_moment() -> None:
    assert bounds(found(WHOLE, [0.3, 0.31, 0.2, 0.2, 0.2, 0.2, 0.27, 0.2])) == [(0.0, 1.5)]


def test_an_end_snaps_to_the_cut_between_two_frames() -> None:
    scores = [0.2, 0.2, 0.2, 0.3, 0.3, 0.2, 0.2]
    assert bounds(found(WHOLE, scores, cuts=(1.5, 2.9, 5.0, 5.5), merge_ratio=0.0)) == [(2.9, 5.0)]


def test_two_events_of_one_shot_are_two_moments() -> None:
    scores = [0.2, 0.3, 0.3, 0.2, 0.2, 0.2, 0.2, 0.29, 0.29, 0.2]
    assert bounds(found([(0.0, 5.0), (5.0, 10.0)], scores)) == [(0.5, 2.5), (6.5, 8.5)]


def test_the_slope_of_a_moment_is_no_moment() -> None:
    scores = [0.2, 0.3, 0.3, 0.24, 0.24, 0.2, 0.2, 0.2]
    assert bounds(found([(0.0, 3.0), (3.0, 6.0)], scores)) == [(0.5, 2.5)]


def test_windows_that_share_an_event_make_one_moment() -> None:
    windows = [(float(start), start + 4.0) for start in range(4, 14, 2)]
    scores = [0.2] * 20
    scores[9:12] = [0.29, 0.3, 0.29]
    spans = found(windows, scores)
    assert spans[0] == Span(8.5, 11.5, 10.0, 0.3, 0.5, 0.5)
    assert [span for span in spans if span.score > 0.2] == spans[:1]


def test_equal_scores_make_the_whole_shot_the_moment() -> None:
    assert found([(1.0, 2.0)], [0.1, 0.1, 0.1]) == [Span(0.0, 3.0, 1.0, 0.1)]


def test_an_interval_without_a_frame_is_ignored() -> None:
    assert found([(0.2, 0.8)], [0.3, 0.3]) == []
    assert found([], [0.3]) == []


@st.composite
def cases(draw: st.DrawFn) -> Case:
    count = draw(st.integers(1, 30))
    times = np.cumsum(draw(st.lists(st.floats(0.05, 3), min_size=count, max_size=count)))
    # Sixteenths, so that sums are exact and ties are real ones.
    scores = np.asarray(draw(st.lists(st.integers(-16, 16), min_size=count, max_size=count))) / 16
    cuts = sorted(draw(st.sets(st.floats(0.1, float(times[-1]) + 0.1), max_size=6)))
    starts = draw(st.lists(st.floats(0, 40), max_size=12))
    intervals = [(start, start + draw(st.floats(0.1, 9))) for start in starts]
    return intervals, Curve(times, scores, np.asarray(cuts, np.float64), float(times[-1]) + 0.2)


levels_drawn = st.builds(Levels, st.floats(-1, 1), st.floats(0, 1), st.floats(0, 0.99))


@given(cases(), levels_drawn)
@settings(max_examples=examples(300), deadline=None)
def test_spans_lie_in_the_video_and_never_overlap(case: Case, levels: Levels) -> None:
    intervals, curve = case
    spans = find_spans(intervals, curve, levels)
    ordered = sorted(bounds(spans))
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(ordered))
    for span in spans:
        assert 0 <= span.start_seconds <= span.best_seconds < span.end_seconds <= curve.end_seconds


@given(cases(), levels_drawn)
@settings(max_examples=examples(300), deadline=None)
def test_spans_are_sorted_and_the_best_nominated_frame_is_first(case: Case, levels: Levels) -> None:
    intervals, curve = case
    spans = find_spans(intervals, curve, levels)
    rows = [curve.rows(start, end) for start, end in intervals]
    nominated = [float(curve.scores[first:after].max()) for first, after in rows if first < after]
    assert [span.score for span in spans] == sorted((span.score for span in spans), reverse=True)
    assert [span.score for span in spans[:1]] == sorted(nominated)[-1:]
    for span in spans:
        assert curve.scores[np.searchsorted(curve.times_seconds, span.best_seconds)] == span.score


@given(cases(), st.floats(-1, 1), st.integers(-6, 6))
@settings(max_examples=examples(100), deadline=None)
def test_spans_do_not_depend_on_the_scale_of_scores(case: Case, base: float, power: int) -> None:
    intervals, curve = case
    factor = 2.0**power
    scaled = Curve(curve.times_seconds, curve.scores * factor, curve.cuts_seconds, curve.end_seconds)
    one = find_spans(intervals, curve, Levels(base, 0.75, 0.5))
    other = find_spans(intervals, scaled, Levels(base * factor, 0.75, 0.5))
    assert bounds(one) == bounds(other)


@given(cases(), st.floats(-1, 1), st.floats(-1, 1))
@settings(max_examples=examples(200), deadline=None)
def test_every_moment_with_a_score_is_around_a_peak(case: Case, base: float, least: float) -> None:
    _, curve = case
    levels = Levels(base, 0.65, 0.5)
    rows = {row for row, score in enumerate(curve.scores) if score >= least} | {int(curve.scores.argmax())}
    peaks = peak_rows(curve, least)
    assert peaks <= rows
    assert grown_spans(peaks, curve, levels) == grown_spans(rows, curve, levels)


def test_peaks_are_one_a_plateau_and_shots_have_their_own() -> None:
    curve = Curve(np.arange(8.0), np.asarray([1.0, 3, 3, 2, 5, 5, 6, 0]), np.asarray([4.0, 6.0]), 8.0)
    assert peak_rows(curve, 1.0) == {1, 4, 6}
    assert peak_rows(curve, 9.0) == {6}
    assert peak_rows(Curve(np.empty(0), np.empty(0), np.empty(0), 0.0), 0.0) == set()


@pytest.mark.parametrize(
    ("video_base", "expected"),
    [
        (-np.inf, (0.0, 6.0)),
        # Frames of the same video that do not show the thing score more than those of others.
        (-2.0, (2.0, 4.0)),
        # Nearer to the peak than to the base: the video shows the thing throughout.
        (1.0, (0.0, 6.0)),
    ],
)
def test_the_base_is_of_the_video_unless_that_shows_the_thing_throughout(
    video_base: float, expected: tuple[float, float]
) -> None:
    curve = Curve(np.arange(6.0), np.asarray([3.0, 3, 9, 9, 3, 3]), np.asarray([2.0, 4.0]), 6.0)
    levels = Levels(-9.0, 0.65, 0.5, video_base)
    assert bounds(find_spans([(2.0, 3.0)], curve, levels)) == [expected]
    without_cuts = Curve(curve.times_seconds, curve.scores, np.empty(0), 6.0)
    (found,) = bounds(find_spans([(2.0, 3.0)], without_cuts, levels))
    assert found == (expected if expected == (0.0, 6.0) else (1.5, 3.5))


def test_unrolled_frames_are_those_that_were_looked_at() -> None:
    times, scores = unrolled(
        np.array([0.0, 2.0, 2.5, 9.0]), np.array([0.1, 0.2, 0.3, 0.4]), np.array([1.5, 2.0, 8.5, 10.0])
    )
    assert times.tolist() == [0.5 * k for k in range(21)]
    assert scores.tolist() == [0.1] * 4 + [0.2] + [0.3] * 13 + [0.4] * 3


def test_unrolled_a_single_frame_stands_for_its_time() -> None:
    times, scores = unrolled(np.array([0.0]), np.array([0.5]), np.array([9.0]))
    assert (times[0], times[-1], set(scores)) == (0.0, 9.0, {0.5})


def test_unrolled_frames_that_stand_for_themselves_stay() -> None:
    times = np.array([0.0, 1.0, 5.0])
    assert unrolled(times, times, times)[0].tolist() == times.tolist()


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.25, 0.5, 0.75, 0.99])
def test_a_quantile_is_exactly_numpys(ratio: float) -> None:
    rng = np.random.default_rng(1)
    for count in (1, 2, 3, 4, 5, 14, 100, 1001):
        for values in (rng.standard_normal(count), np.zeros(count), rng.integers(0, 3, count).astype(np.float64)):
            assert quantile(values, ratio) == float(np.quantile(values, ratio))
