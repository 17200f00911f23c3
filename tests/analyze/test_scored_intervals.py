from __future__ import annotations

import numpy as np
import pytest

from pipeline.analyze.frame_intervals import FrameIntervals
from pipeline.analyze.scored_intervals import scored_intervals


def seconds(count: int, *, hole_after: int | None = None) -> FrameIntervals:
    """Frames of a second each; after one of them ten seconds are missing."""
    starts = np.arange(count, dtype=np.float64)
    if hole_after is not None:
        starts[hole_after + 1 :] += 10
    return FrameIntervals(starts, starts + 1, starts + 0.5, float(starts[-1] + 1) if count else 0.0)


def found(scores: list[float], frames: FrameIntervals | None = None, **settings: float) -> list[tuple[float, float]]:
    values = {"enter": 0.5, **settings}
    intervals = scored_intervals(frames or seconds(len(scores)), np.asarray(scores), **values)  # type: ignore[arg-type]
    return [(one.start_seconds, one.end_seconds) for one in intervals]


def test_runs_of_frames_that_reach_the_score() -> None:
    assert found([0.5, 0.9, 0.4, 0.6]) == [(0, 2), (3, 4)]


def test_an_interval_goes_on_until_the_score_falls_below_exit() -> None:
    assert found([0.3, 0.9, 0.3, 0.29, 0.4], exit=0.3) == [(0, 3)]


def test_closed_gaps_are_no_longer_than_told() -> None:
    scores = [0.9, 0.1, 0.9, 0.1, 0.1, 0.9]
    assert found(scores, merge_gap_seconds=1.0) == [(0, 3), (5, 6)]
    assert found(scores) == [(0, 1), (2, 3), (5, 6)]


def test_short_intervals_are_left_out_after_gaps_are_closed() -> None:
    assert found([0.9, 0.1, 0.9, 0.1, 0.1, 0.9], merge_gap_seconds=1.0, min_seconds=3.0) == [(0, 3)]


def test_a_hole_ends_an_interval_and_touching_ones_stay_apart_without_a_gap() -> None:
    frames = seconds(4, hole_after=1)
    assert found([0.9] * 4, frames) == [(0, 2), (12, 14)]
    assert found([0.9] * 4, frames, merge_gap_seconds=10.0) == [(0, 14)]


def test_the_peak_is_the_first_best_frame() -> None:
    (one,) = scored_intervals(seconds(4), np.asarray([0.6, 0.8, 0.8, 0.7]), enter=0.5)
    assert (one.peak_seconds, one.peak_score, one.first, one.after) == (1.5, 0.8, 0, 4)


def test_no_frames() -> None:
    assert found([]) == []


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="enter"):
        found([0.1], enter=0.3, exit=0.4)
    with pytest.raises(ValueError, match="2 scores of 1 frames"):
        found([0.1, 0.2], seconds(1))


def test_intervals_of_the_least_length_stay_in_spite_of_rounding() -> None:
    starts = np.arange(4) * 0.1
    frames = FrameIntervals(starts, starts + 0.1, starts, 0.4)
    # 0.30000000000000004 - 0.1 is just over 0.2, and 0.1 + 0.1 - 0.0 is not; thrice 0.1 from 0.1 is just under 0.3.
    assert len(found([0.9, 0.9, 0.0, 0.0], frames, min_seconds=0.2)) == 1
    assert len(found([0.0, 0.9, 0.9, 0.9], frames, min_seconds=0.3)) == 1
    assert len(found([0.9, 0.9, 0.0, 0.0], frames, min_seconds=0.200001)) == 0


def test_a_gap_as_long_as_told_is_closed_and_a_longer_one_is_not() -> None:
    assert found([0.9, 0.1, 0.9], merge_gap_seconds=1.0) == [(0, 3)]
    assert found([0.9, 0.1, 0.9], merge_gap_seconds=0.999) == [(0, 1), (2, 3)]
    assert found([0.9, 0.1, 0.9, 0.1, 0.9], merge_gap_seconds=1.0) == [(0, 5)]


def test_frames_that_reach_exit_alone_make_no_interval() -> None:
    assert found([0.3, 0.4, 0.1, 0.5, 0.3], enter=0.5, exit=0.3) == [(3, 5)]
    assert found([0.5], enter=0.5, exit=0.5) == [(0, 1)]


def test_rows_and_the_peak_of_a_later_interval() -> None:
    _, one = scored_intervals(seconds(6), np.asarray([0.9, 0.0, 0.0, 0.6, 0.7, 0.6]), enter=0.5)
    assert (one.first, one.after, one.peak_seconds, one.peak_score, one.duration_seconds) == (3, 6, 4.5, 0.7, 3.0)
