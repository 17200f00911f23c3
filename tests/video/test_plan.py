"""What of a stream is decoded for a grid, on packets that are told apart by their letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import pytest
from contracts.examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.types import Grid
from pipeline.video.plan import Step, Use, planned

ONE_A_SECOND = Grid(Fraction(1))
SIGNS = {Use.SHOWN: "S", Use.REFERENCE: "r", Use.NOTHING: "."}


@dataclass(frozen=True)
class FakePacket:
    is_keyframe: bool
    size: int = 1000


def steps_of(
    keys: str, times: Sequence[float | None], grid: Grid = ONE_A_SECOND, size: int = 1000
) -> list[Step[FakePacket]]:
    """A plan of packets in decoding order: "K" is a keyframe."""
    exact = [None if time is None else Fraction(str(time)) for time in times]
    packets = [(FakePacket(key == "K", size), time) for key, time in zip(keys, exact, strict=True)]
    steps = list(planned(packets, grid))
    assert [(step.packet, step.time) for step in steps] == packets
    return steps


def signs(steps: list[Step[FakePacket]]) -> str:
    """S for shown, r for referred to, . for left out; ! goes before a fresh start."""
    return "".join("!" * step.is_fresh_start + SIGNS[step.use] for step in steps)


def every(step: float, count: int, start: float = 0.0) -> list[float]:
    return [round(start + step * number, 3) for number in range(count)]


def test_what_lies_behind_the_last_point_of_a_group_is_left_out() -> None:
    assert signs(steps_of("KppppppppKpppp", every(0.2, 14))) == "SrrrrS...!rSrSS"


def test_a_group_without_a_point_is_left_out_whole() -> None:
    assert signs(steps_of("Kpp" * 4, every(0.2, 12))) == "S..!rrS...!rSS"
    assert signs(steps_of("Kp" * 6, every(0.2, 12))) == "S.!..!rS..!..!SS"


def test_frames_are_shown_until_the_next_one_comes() -> None:
    assert signs(steps_of("Kppp", [0.0, 0.9, 1.1, 1.2])) == "SSSS"


def test_wanted_leading_pictures_need_the_group_before() -> None:
    # The second keyframe is shown at 1.2 s; the picture on screen at 1 s comes behind it, and refers to both groups.
    times = [0.0, 0.4, 0.6, 0.8, 1.2, 1.0, 1.4, 1.6]
    assert signs(steps_of("KpppKbpp", times)) == "SrrrrSSS"


def test_leading_pictures_that_are_not_wanted_go_with_the_group_before() -> None:
    times = [0.0, 0.2, 0.4, 0.6, 1.0, 0.8, 1.2, 1.4]
    assert signs(steps_of("KpppKbpp", times)) == "S...!S.SS"


def test_the_first_frame_is_wanted_however_late_it_comes() -> None:
    assert signs(steps_of("KpppKppp", every(0.1, 8, start=2.3)))[0] == "S"


def test_frames_before_time_zero_are_wanted_by_none() -> None:
    assert signs(steps_of("KppppKpp", every(0.2, 8, start=-0.4))) == "rrS..!rSS"


def test_tolerance_takes_the_earlier_frame_where_that_saves_decoding() -> None:
    grid = Grid(Fraction(1), Fraction(1, 2))
    steps = steps_of("K" + "p" * 14 + "K" + "p" * 14, every(0.2, 30), grid)
    assert signs(steps)[:15] == "SrrrrSrrS......"
    assert [float(step.time or 0) for step in steps if step.use is Use.SHOWN][:3] == [0.0, 1.0, 1.6]


def test_tolerance_takes_the_next_keyframe_which_is_free() -> None:
    grid = Grid(Fraction(1), Fraction(1, 2))
    assert signs(steps_of("KpppppKpppp", every(0.2, 11))) == "SrrrrSrrrSS"
    assert signs(steps_of("KpppppKpppp", every(0.2, 11), grid))[:8] == "S.....!S"


def test_a_packet_without_a_time_ends_the_planning() -> None:
    assert signs(steps_of("KppKpp", [0.0, 0.2, 0.4, 0.6, None, 0.8])) == "SSSSSS"


def test_what_comes_before_the_first_keyframe_is_decoded() -> None:
    assert signs(steps_of("ppKppKp", every(0.2, 7)))[:2] == "SS"


def test_groups_too_large_to_be_held_back_are_decoded_as_they_come() -> None:
    steps = steps_of("K" + "p" * 4000 + "Kp", every(0.04, 4003))
    assert set(signs(steps)[:4001]) == {"S"}
    large = steps_of("K" + "p" * 40 + "Kp", every(0.04, 43), size=4_000_000)
    assert set(signs(large)[:41]) == {"S"}


@given(
    groups=st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=9), min_size=1, max_size=8),
    rate=st.sampled_from([Fraction(1, 3), Fraction(1), Fraction(5, 2)]),
    tolerance=st.booleans(),
)
@settings(max_examples=examples(200), deadline=None)
def test_every_point_has_its_frame(groups: list[list[int]], rate: Fraction, tolerance: bool) -> None:
    keys = "".join("K" + "p" * (len(group) - 1) for group in groups)
    times, now = [], Fraction(0)
    for tenths in (each for group in groups for each in group):
        times.append(now)
        now += Fraction(tenths, 10)
    grid = Grid(rate, Fraction(1, 2) / rate if tolerance else Fraction(0))
    packets = [(FakePacket(key == "K"), time) for key, time in zip(keys, times, strict=True)]
    steps = list(planned(packets, grid))
    shown = [step.time for step in steps if step.use is Use.SHOWN and step.time is not None]
    for number in range(int(times[-1] * rate) + 1):
        point = number / rate
        on_screen = max(time for time in times if time <= point)
        if not tolerance:
            assert on_screen in shown
        else:
            assert on_screen in shown or min(abs(time - point) for time in shown) <= grid.tolerance
    needed = Use.NOTHING
    for step in reversed(steps):
        # Nothing is left out before a frame of its group that is shown.
        if step.packet.is_keyframe:
            assert needed is Use.NOTHING or step.use is not Use.NOTHING
            needed = Use.NOTHING
        elif step.use is not Use.NOTHING:
            needed = step.use
        else:
            assert needed is Use.NOTHING


@pytest.mark.parametrize(("rate", "tolerance"), [(0, 0), (-1, 0), (1, -1)])
def test_grids_that_are_none_are_refused(rate: int, tolerance: int) -> None:
    with pytest.raises(ValueError, match="not a grid"):
        Grid(Fraction(rate), Fraction(tolerance))
