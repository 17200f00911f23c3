from __future__ import annotations

import math

import pytest

from pipeline.config import validate
from pipeline.errors import ConfigError
from pipeline.segment import FixedWindows
from pipeline.testing.segmenter import SegmenterContract, frames_at, intervals


class TestDefaults(SegmenterContract):
    segmenter = FixedWindows()


class TestAwkwardLengths(SegmenterContract):
    segmenter = FixedWindows(length_seconds=0.3, overlap_seconds=0.1)


class TestNoOverlap(SegmenterContract):
    segmenter = FixedWindows(length_seconds=1 / 3, overlap_seconds=0)


def test_windows_start_every_stride_and_the_last_is_clipped() -> None:
    segments = FixedWindows().segments(frames_at([k * 0.5 for k in range(21)], 10.5))
    assert intervals(segments) == [(0, 4), (2, 6), (4, 8), (6, 10), (8, 10.5)]


def test_the_first_window_that_reaches_the_end_is_the_last() -> None:
    segments = FixedWindows().segments(frames_at([k * 0.5 for k in range(20)], 10.0))
    assert intervals(segments) == [(0, 4), (2, 6), (4, 8), (6, 10)]


def test_a_video_shorter_than_a_window_is_one_segment() -> None:
    assert intervals(FixedWindows().segments(frames_at([0.0, 0.5], 0.8))) == [(0, 0.8)]


def test_windows_without_a_frame_are_left_out() -> None:
    segments = FixedWindows(overlap_seconds=0).segments(frames_at([1.0, 13.0], 20.0))
    assert intervals(segments) == [(0, 4), (12, 16)]
    assert [segment.ordinal for segment in segments] == [0, 1]


def test_a_frame_on_a_bound_belongs_to_the_window_that_starts_there() -> None:
    segments = FixedWindows(overlap_seconds=0).segments(frames_at([4.0], 8.0))
    assert intervals(segments) == [(4, 8)]


def test_starts_do_not_drift() -> None:
    windows = FixedWindows(length_seconds=0.1, overlap_seconds=0)
    segments = windows.segments(frames_at([k / 10 for k in range(10_000)], 1000.0))
    assert len(segments) == 10_000
    assert segments[9_999].start_seconds == 999.9


def test_a_duration_that_ends_before_the_last_frame_does_not_lose_it() -> None:
    segments = FixedWindows().segments(frames_at([0.0, 4.0], 4.0))
    assert segments[-1].start_seconds <= 4.0 < segments[-1].end_seconds


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ({"overlap_seconds": 4.0}, r"overlap_seconds \(4\.0\) must be less than length_seconds \(4\.0\)"),
        ({"overlap_seconds": -1.0}, "greater than or equal to 0"),
        ({"length_seconds": 0}, "greater than 0"),
    ],
)
def test_impossible_windows_are_refused(setting: dict[str, float], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        validate(FixedWindows, setting)


def test_a_frame_just_before_a_bound_belongs_to_the_window_before() -> None:
    windows = FixedWindows(overlap_seconds=0)
    assert intervals(windows.segments(frames_at([math.nextafter(4.0, 0)], 8.0))) == [(0, 4)]
    assert intervals(windows.segments(frames_at([8.0], 8.5))) == [(8, 8.5)]


@pytest.mark.parametrize(("duration", "last"), [(5.999, (2, 5.999)), (6.0, (2, 6)), (6.001, (4, 6.001))])
def test_a_window_that_just_reaches_the_end_is_the_last(duration: float, last: tuple[float, float]) -> None:
    times = [k / 2 for k in range(12)]
    assert intervals(FixedWindows().segments(frames_at(times, duration)))[-1] == last


@pytest.mark.parametrize("overlap", [0.0, 1.0, 3.0, 3.5])
def test_a_frame_lies_in_every_window_over_it(overlap: float) -> None:
    windows = FixedWindows(length_seconds=4.0, overlap_seconds=overlap)
    stride = 4.0 - overlap
    for time in (0.0, 3.999, 4.0, 10.0, 12.5):
        found = intervals(windows.segments(frames_at([time], 100.0)))
        expected = [k * stride for k in range(300) if k * stride <= time < k * stride + 4.0]
        assert [start for start, _ in found] == expected


def test_the_defaults_are_read_back_as_they_are() -> None:
    assert validate(FixedWindows, FixedWindows().model_dump(mode="json")) == FixedWindows()
