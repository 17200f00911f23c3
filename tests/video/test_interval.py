from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.video.interval import shown_within


@dataclass(frozen=True)
class Shown:
    time: Fraction
    duration: Fraction | None = None


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, [0, 2, 3, 7]),
        (0, 2, [0]),
        (1, 2, [0]),
        (1, 3, [0, 2]),
        (2, 3, [2]),
        (5, 6, [3]),
        (5, None, [3, 7]),
        (7, None, [7]),
        (8, None, [7]),
        (9, None, []),
        (4, 4, []),
        (None, 0, []),
        (-1, 1, [0]),
    ],
)
def test_a_window_holds_what_is_on_screen(start: int | None, end: int | None, expected: list[int]) -> None:
    frames = [Shown(Fraction(time)) for time in (0, 2, 3)] + [Shown(Fraction(7), Fraction(2))]
    first, last = (None if bound is None else Fraction(bound) for bound in (start, end))
    assert [frame.time for frame in shown_within(frames, first, last)] == expected


def shown(*times: float, start: float | None = None, end: float | None = None, last: float | None = 2) -> list[float]:
    frames = [Shown(Fraction(time)) for time in times[:-1]]
    frames.append(Shown(Fraction(times[-1]), None if last is None else Fraction(last)))
    first, until = (None if bound is None else Fraction(bound) for bound in (start, end))
    return [float(frame.time) for frame in shown_within(frames, first, until)]


def test_the_last_frame_is_shown_until_its_end_and_not_at_it() -> None:
    assert shown(0, 7, start=8.999) == [7]
    assert shown(0, 7, start=9) == []
    # One that lasts for no time is shown at its own.
    assert shown(0, 7, start=7, last=0) == [7]
    assert shown(0, 7, start=7.001, last=0) == []
    assert shown(0, 7, start=99, last=None) == [7]


def test_a_window_that_ends_where_a_frame_begins_does_not_hold_it() -> None:
    assert shown(0, 1, 2, start=0, end=2) == [0, 1]
    assert shown(0, 1, 2, start=1, end=1.001) == [1]
    assert shown(0, 1, 2, start=1, end=1) == []
    assert shown(3, start=1, end=3) == []
    assert shown(3, start=1, end=3.001) == [3]


def test_a_frame_is_given_out_once_the_next_one_is_known() -> None:
    asked = []

    def frames() -> Iterator[Shown]:
        for time in range(10):
            asked.append(time)
            yield Shown(Fraction(time))

    assert [frame.time for frame in shown_within(frames(), Fraction(2), Fraction(4))] == [2, 3]
    assert asked == [0, 1, 2, 3, 4]


@given(
    times=st.lists(st.integers(0, 30), min_size=1, unique=True).map(sorted),
    start=st.none() | st.integers(-2, 34),
    end=st.none() | st.integers(-2, 34),
)
@settings(max_examples=40, deadline=None)
def test_just_the_frames_that_meet_a_window_are_in_it(times: list[int], start: int | None, end: int | None) -> None:
    first, last = -99 if start is None else start, 99 if end is None else end
    spans = zip(times, [*times[1:], times[-1] + 2], strict=True)
    expected = [since for since, until in spans if since < last and until > first] if first < last else []
    assert shown(*times, start=start, end=end) == expected
