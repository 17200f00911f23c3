"""How long frames stay on screen, and what several samplings make of it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from pipeline.sampling.screen_time import FrameHolds, ScreenTime, end_of_last, merged_holds, stepped_back
from pipeline.testing.sampler import TICK, GreyFrame, info_of


def frame(milliseconds: int, duration: Fraction | None = None) -> GreyFrame:
    return GreyFrame(milliseconds, duration=duration)


@pytest.mark.parametrize(
    ("duration", "step", "average_rate", "lasts"),
    [
        (Fraction(2), Fraction(1), 25, Fraction(2)),
        (Fraction(1, 1000), Fraction(1), 25, Fraction(1, 1000)),
        (Fraction(0), Fraction(1), None, 1 - TICK / 2),
        (None, Fraction(1), None, 1 - TICK / 2),
        (None, Fraction(1), 25, Fraction(1, 25) - TICK / 2),
        (None, Fraction(1, 50), 25, Fraction(1, 50) - TICK / 2),
        (None, None, 10, Fraction(1, 10) - TICK / 2),
        (None, None, None, Fraction(1, 25) - TICK / 2),
        # No more than half of it is taken off.
        (None, Fraction(1, 4000), None, Fraction(1, 8000)),
    ],
)
def test_the_last_frame_lasts_as_it_says_or_as_others_do(
    duration: Fraction | None, step: Fraction | None, average_rate: int | None, lasts: Fraction
) -> None:
    info = replace(info_of(99.0), average_rate=None if average_rate is None else Fraction(average_rate))
    assert end_of_last(frame(3000, duration), step, info) == 3 + lasts


def holds(*frames: GreyFrame, sees_all: bool, is_over: bool = True) -> tuple[Fraction, ...]:
    screen_time = ScreenTime(info_of(), sees_all=sees_all)
    found = [screen_time.feed(each) for each in frames]
    if is_over:
        screen_time.finish()
    return screen_time.last_times(found)


def test_a_frame_is_on_screen_to_the_tick_before_the_next_one() -> None:
    assert holds(frame(0), frame(500), frame(1000), sees_all=True) == (
        Fraction(499, 1000),
        Fraction(999, 1000),
        # As long as the one before it, half a tick less, and from there to the tick before.
        Fraction(3, 2) - TICK / 2 - TICK,
    )


def test_where_frames_are_left_out_a_frame_lasts_for_its_duration_at_most() -> None:
    long, short = Fraction(9), Fraction(1, 10)
    assert holds(frame(0, long), frame(500, short), frame(1000, short), sees_all=False) == (
        Fraction(499, 1000),
        Fraction(599, 1000),
        Fraction(1099, 1000),
    )
    # Without a duration it is only known to be there at its own time.
    assert holds(frame(0), frame(500), sees_all=False) == (0, Fraction(1, 2))


def test_a_frame_whose_end_is_not_known_yet_is_seen_at_its_own_time() -> None:
    assert holds(frame(0), frame(500), sees_all=True, is_over=False) == (Fraction(499, 1000), Fraction(1, 2))
    assert holds(sees_all=True) == ()


def test_a_single_frame_without_a_duration_lasts_as_long_as_usual() -> None:
    assert holds(frame(0), sees_all=True) == (Fraction(1, 25) - TICK / 2 - TICK,)


def test_a_hold_of_one_tick_ends_where_it_begins() -> None:
    assert holds(frame(0), frame(1), sees_all=True, is_over=False) == (0, TICK)


@pytest.mark.parametrize(
    ("until", "end", "step", "expected"),
    [
        (5, 6, 2, 5),
        (5, 5, 2, 3),
        (6, 5, 2, 4),
        (7, 5, 2, 3),
        (8, 5, 2, 4),
        (5, 5, None, 0),
        (4, 5, None, 4),
    ],
)
def test_one_steps_back_until_before_an_end(until: int, end: int, step: int | None, expected: int) -> None:
    found = stepped_back(Fraction(until), Fraction(end), None if step is None else Fraction(step))
    assert found == expected
    assert found < end


def whole(*times: int) -> list[Fraction]:
    return [Fraction(time) for time in times]


def test_merged_holds_end_before_the_next_frame_of_any() -> None:
    grid = FrameHolds(whole(0, 4), whole(3, 9), Fraction(1))
    other = FrameHolds(whole(2, 4), whole(3, 4), None)
    assert merged_holds([grid, other]) == {0: 1, 2: 3, 4: 9}
    assert list(merged_holds([other, grid])) == [0, 2, 4]


def test_frames_whose_holds_are_not_known_stand_for_themselves() -> None:
    assert merged_holds([FrameHolds(whole(3, 1), None, None)]) == {1: 1, 3: 3}
    assert merged_holds([]) == {}
