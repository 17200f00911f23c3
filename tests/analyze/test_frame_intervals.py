from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from pipeline.analyze.frame_intervals import HOLE_RATIO, frame_intervals
from pipeline.types import FrameEmbeddings


def frames_at(
    *times: float,
    duration: float,
    cuts: tuple[float, ...] | None = None,
    until: tuple[float, ...] | None = None,
    step: float | None = 1.0,
) -> FrameEmbeddings:
    return FrameEmbeddings(
        video_id="v",
        pts=np.asarray([round(1000 * one) for one in times], np.int64),
        time_base=Fraction(1, 1000),
        times_seconds=np.asarray(times, np.float64),
        vectors=np.tile(np.asarray([[1, 0]], np.float32), (len(times), 1)),
        cuts_seconds=cuts,
        duration_seconds=duration,
        seen_until_seconds=None if until is None else np.asarray(until, np.float64),
        step_seconds=step,
    )


def intervals_of(frames: FrameEmbeddings) -> list[tuple[float, float]]:
    found = frame_intervals(frames)
    return list(zip(found.starts_seconds.tolist(), found.ends_seconds.tolist(), strict=True))


def test_frames_meet_in_the_middle_and_reach_both_ends() -> None:
    assert intervals_of(frames_at(0.5, 1.5, 2.5, duration=3.0)) == [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]


def test_frames_meet_at_the_last_cut_between_them() -> None:
    frames = frames_at(0.0, 1.0, 2.0, duration=3.0, cuts=(0.2, 0.9, 2.0))
    assert intervals_of(frames) == [(0.0, 0.9), (0.9, 2.0), (2.0, 3.0)]


def test_a_held_frame_stands_for_the_time_on_screen() -> None:
    frames = frames_at(0.0, 9.0, duration=10.0, until=(8.0, 9.0))
    assert intervals_of(frames) == [(0.0, 8.5), (8.5, 10.0)]


def test_a_hole_belongs_to_no_frame() -> None:
    frames = frames_at(5.0, 6.0, 20.0, duration=30.0)
    assert intervals_of(frames) == [(4.5, 5.5), (5.5, 6.5), (19.5, 20.5)]


def test_without_a_known_step_the_median_is_the_usual_one() -> None:
    frames = frames_at(0.0, 2.0, 4.0, 14.0, duration=15.0, step=None)
    assert intervals_of(frames) == [(0.0, 1.0), (1.0, 3.0), (3.0, 5.0), (13.0, 15.0)]


@pytest.mark.parametrize("times", [(), (1.0,)])
def test_few_frames(times: tuple[float, ...]) -> None:
    assert intervals_of(frames_at(*times, duration=2.0)) == [(0.0, 2.0) for _ in times]


# Cuts count where they lie after the one frame and up to the next.
@pytest.mark.parametrize(
    ("cuts", "bounds"),
    [
        ((0.25,), [0.25, 1.5]),
        ((1.0,), [1.0, 1.5]),
        ((1.25,), [0.5, 1.25]),
        ((0.0,), [0.5, 1.5]),
        ((0.25, 5.0), [0.25, 1.5]),
        ((0.0, 1.75), [0.5, 1.75]),
        ((0.25, 1.25), [0.25, 1.25]),
        ((5.0,), [0.5, 1.5]),
        ((), [0.5, 1.5]),
    ],
)
def test_frames_meet_at_a_cut_or_else_in_the_middle(cuts: tuple[float, ...], bounds: list[float]) -> None:
    found = frame_intervals(frames_at(0.0, 1.0, 2.0, duration=3.0, cuts=cuts))
    assert found.starts_seconds.tolist() == [0.0, *bounds]
    assert found.ends_seconds.tolist() == [*bounds, 3.0]
    assert (found.times_seconds.tolist(), found.duration_seconds, len(found)) == ([0.0, 1.0, 2.0], 3.0, 3)


LONGEST = HOLE_RATIO + 1e-6
"""Seconds up to which a gap is no hole, at a step of a second."""


@pytest.mark.parametrize(
    ("gap", "is_hole"), [(HOLE_RATIO, False), (LONGEST, False), (HOLE_RATIO + 2e-6, True), (3.0, True)]
)
def test_a_hole_is_longer_than_two_steps_at_the_end_and_the_start(gap: float, is_hole: bool) -> None:
    assert intervals_of(frames_at(0.0, duration=gap)) == [(0.0, 0.5 if is_hole else gap)]
    assert intervals_of(frames_at(gap, duration=gap))[0][0] == (gap - 0.5 if is_hole else 0.0)


def test_a_lone_frame_of_no_known_step_stands_for_its_own_time_alone() -> None:
    assert intervals_of(frames_at(4.0, duration=9.0, step=None)) == [(4.0, 4.0)]
    assert intervals_of(frames_at(4.0, duration=9.0, step=None, until=(6.0,))) == [(4.0, 6.0)]


def test_a_held_frame_before_a_hole_stands_until_it_was_last_seen() -> None:
    frames = frames_at(0.0, 9.0, duration=20.0, until=(4.0, 12.0))
    assert intervals_of(frames) == [(0.0, 4.5), (8.5, 12.5)]
