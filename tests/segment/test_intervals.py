from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.segment.intervals import end_of, frames_within, usual_step_seconds
from pipeline.testing.segmenter import frames_at


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 1, [0]), (1, 2, [1]), (1, 2.001, [1, 2]), (0.5, 1, []), (2, 9, [2]), (2.001, 9, []), (-1, 0, []), (1, 1, [])],
)
def test_an_interval_holds_its_start_and_not_its_end(start: float, end: float, expected: list[int]) -> None:
    assert list(frames_within(frames_at([0.0, 1.0, 2.0], 3.0), start, end)) == expected


@pytest.mark.parametrize(
    ("times", "duration", "end"),
    [
        ([], 5.0, 5.0),
        ([0.0, 4.999], 5.0, 5.0),
        ([0.0, 5.0], 5.0, math.nextafter(5.0, math.inf)),
        ([0.0, 7.0], 5.0, math.nextafter(7.0, math.inf)),
        ([0.0], 0.0, math.nextafter(0.0, math.inf)),
    ],
)
def test_a_video_ends_behind_its_last_frame(times: list[float], duration: float, end: float) -> None:
    assert end_of(frames_at(times, duration)) == end


@pytest.mark.parametrize(
    ("times", "step", "usual"),
    [((0.0, 1.0, 2.0), 0.25, 0.25), ((0.0, 2.0, 5.0, 6.0), None, 2.0), ((4.0,), None, 0.0), ((), None, 0.0)],
)
def test_the_usual_step_is_the_samplings_own_or_else_the_median(
    times: tuple[float, ...], step: float | None, usual: float
) -> None:
    assert usual_step_seconds(np.asarray(times, np.float64), step) == usual
