from __future__ import annotations

from fractions import Fraction

import numpy as np

from pipeline.export.dataset import DatasetSettings, TextInterval, pick_frames
from pipeline.types import FrameEmbeddings

ALL_DIFFERENT = np.eye(10, dtype=np.float32)


def embedded(vectors: np.ndarray = ALL_DIFFERENT) -> FrameEmbeddings:
    """A frame a second."""
    count = len(vectors)
    times = np.arange(count, dtype=np.float64)
    return FrameEmbeddings(
        video_id="v",
        pts=np.arange(count),
        time_base=Fraction(1),
        times_seconds=times,
        vectors=vectors,
        cuts_seconds=None,
        duration_seconds=float(count),
        step_seconds=1.0,
    )


def picked(frames: FrameEmbeddings, *intervals: TextInterval, **settings: float) -> list[tuple[int, str]]:
    found, _ = pick_frames(frames, intervals, DatasetSettings(**settings))
    return [(one.row, one.interval.text) for one in found]


def part(start: float, end: float, text: str = "a", **more: tuple[tuple[float, float], ...]) -> TextInterval:
    return TextInterval("v", start, end, text, "captions", **more)


def test_frames_are_inside_and_spread() -> None:
    assert [row for row, _ in picked(embedded(), part(2, 6))] == [2, 3, 4, 5]
    assert [row for row, _ in picked(embedded(), part(0, 10), frames_per_interval=2)] == [2, 7]
    assert [row for row, _ in picked(embedded(), part(0, 9), frames_per_interval=1)] == [4]


def test_near_copies_come_once_under_a_text() -> None:
    vectors = ALL_DIFFERENT.copy()
    vectors[1:5] = vectors[0]
    assert picked(embedded(vectors), part(0, 7), part(2, 6), part(3, 4, "b")) == [
        (0, "a"), (3, "b"), (5, "a"), (6, "a"),
    ]  # fmt: skip


def test_a_point_in_time_is_shown_by_the_frame_that_stands_for_it() -> None:
    assert picked(embedded(), part(3.4, 3.4)) == [(3, "a")]
    assert picked(embedded(), part(3.6, 3.6)) == [(4, "a")]


def test_an_interval_between_frames_is_counted() -> None:
    assert pick_frames(embedded(), [part(3.2, 3.8), part(50, 60)], DatasetSettings()) == ([], 2)


def test_what_the_text_does_not_describe_is_left_out() -> None:
    assert picked(embedded(), part(2, 6, excluded=((3.0, 5.0),))) == [(2, "a"), (5, "a")]
