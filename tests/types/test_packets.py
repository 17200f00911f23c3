"""What a list of packets says of times and groups."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.types.packets import Packets


def packets(
    ticks: Sequence[int],
    keys: str | None = None,
    time_base: Fraction = Fraction(1, 10),
    start_time: Fraction = Fraction(0),
) -> Packets:
    marks = keys or "K" + "p" * (len(ticks) - 1)
    return Packets(
        ticks=np.array(ticks, np.int64),
        sizes=np.full(len(ticks), 100, np.int64),
        is_keyframe=np.array([mark == "K" for mark in marks], bool),
        time_base=time_base,
        start_time=start_time,
    )


@given(
    time=st.fractions(min_value=-5, max_value=100, max_denominator=1000),
    base=st.sampled_from([Fraction(1, 90_000), Fraction(1001, 30_000), Fraction(1)]),
    zero=st.sampled_from([Fraction(0), Fraction(7, 3), Fraction(-2)]),
)
@settings(max_examples=30, deadline=None)
def test_the_tick_of_a_time_is_the_first_at_or_after_it(time: Fraction, base: Fraction, zero: Fraction) -> None:
    listed = packets([0, 1], time_base=base, start_time=zero)
    tick = listed.tick(time)
    assert listed.time(tick - 1) < time <= listed.time(tick)
    assert listed.tick(listed.time(tick)) == tick


def test_groups_reach_to_the_next_keyframe() -> None:
    assert packets(range(7), "KppKKpp").groups == ((0, 3), (3, 4), (4, 7))
    assert packets(range(4), "ppKp").groups == ((2, 4),)
    assert packets(range(2), "pp").groups == ()


@pytest.mark.parametrize(
    ("tenths", "count", "expected"),
    [
        (0, 0, 0),
        (0, 1, 1),
        (2, -1, 1),
        (2, 1, 5),
        (0, 3, 5),
        (5, -3, 0),
        (0, -1, 0),
        (5, 1, 7),
        (7, 1, 7),
        (2, 9, 7),
        (4, 0, 5),
    ],
)
def test_frames_are_counted_in_the_order_in_which_they_are_shown(tenths: int, count: int, expected: int) -> None:
    # Shown at 0, 1, 2, 5 and 7 tenths, from 10 s on.
    listed = packets([100, 105, 101, 102, 107], "Kpppp", start_time=Fraction(10))
    assert listed.frames_from(Fraction(tenths, 10), count) == Fraction(expected, 10)


def test_a_list_is_read_only_and_of_one_length() -> None:
    listed = packets([0, 1, 2])
    assert len(listed) == 3
    assert not any(array.flags.writeable for array in (listed.ticks, listed.sizes, listed.is_keyframe))
    with pytest.raises(ValueError, match="3 times, 2 sizes, 3 keyframe flags"):
        Packets(listed.ticks, listed.sizes[:2], listed.is_keyframe, Fraction(1), Fraction(0))
    with pytest.raises(ValueError, match="3 times, 3 sizes, 2 keyframe flags"):
        Packets(listed.ticks, listed.sizes, listed.is_keyframe[:2], Fraction(1), Fraction(0))


def test_a_list_is_frozen_and_itself_alone() -> None:
    listed = packets([0, 1])
    assert Packets.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert listed != packets([0, 1])
    assert {listed: 1}[listed] == 1
