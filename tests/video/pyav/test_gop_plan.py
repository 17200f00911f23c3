"""What of a stream is decoded for a grid, on packets that are told apart by their letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.testing.examples import examples
from pipeline.types import Grid
from pipeline.video.pyav.gop_plan import PlannedPacket, Use, planned

ONE_A_SECOND = Grid(Fraction(1))
SIGNS = {Use.SHOWN: "S", Use.REFERENCE: "r", Use.NOTHING: "."}


@dataclass(frozen=True)
class FakePacket:
    is_keyframe: bool
    size: int = 1000


def steps_of(
    keys: str, times: Sequence[float | None], grid: Grid = ONE_A_SECOND, size: int = 1000
) -> list[PlannedPacket[FakePacket]]:
    """A plan of packets in decoding order: "K" is a keyframe."""
    exact = [None if time is None else Fraction(str(time)) for time in times]
    packets = [(FakePacket(key == "K", size), time) for key, time in zip(keys, exact, strict=True)]
    steps = list(planned(packets, grid))
    assert [(step.packet, step.time) for step in steps] == packets
    return steps


def signs(steps: list[PlannedPacket[FakePacket]]) -> str:
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
@settings(max_examples=examples(50), deadline=None)
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


@st.composite
def reordered_streams(draw: st.DrawFn) -> tuple[str, list[Fraction]]:
    """Groups in decoding order: leading pictures, and others that are decoded after one that is shown later."""
    keys, places = "", []
    for number in range(draw(st.integers(1, 5))):
        leading, following = draw(st.integers(0, 2)) if number else 0, draw(st.integers(0, 5))
        first = len(places)
        own = list(range(first + leading + 1, first + leading + 1 + following))
        if draw(st.booleans()):
            own[:-1:2], own[1::2] = own[1::2], own[: len(own) // 2 * 2 : 2]
        keys += "K" + "p" * (leading + following)
        places += [first + leading, *range(first, first + leading), *own]
    steps = draw(st.lists(st.integers(1, 12), min_size=len(places), max_size=len(places)))
    start = draw(st.sampled_from([0, 0, -7, 13]))
    shown_at = [Fraction(start + sum(steps[:number]), 10) for number in range(len(places))]
    return keys, [shown_at[place] for place in places]


def wanted(times: Sequence[Fraction], rate: Fraction, last_group: Sequence[Fraction]) -> set[Fraction]:
    """The first frame, the one on screen at each point, and the last two that the sampler is to judge."""
    shown = sorted(time for time in times if time >= 0)
    points = [number / rate for number in range(int(max(times) * rate) + 1)] if shown else []
    on_screen = {max((time for time in shown if time <= point), default=shown[0]) for point in points}
    return {*shown[:1], *on_screen, *sorted(time for time in last_group if time >= 0)[-2:]}


@given(stream=reordered_streams(), rate=st.sampled_from([Fraction(1, 3), Fraction(1), Fraction(5, 2), Fraction(10)]))
@settings(max_examples=60, deadline=None)
def test_just_the_frames_of_the_points_are_shown_and_what_they_need_decoded(
    stream: tuple[str, list[Fraction]], rate: Fraction
) -> None:
    keys, times = stream
    packets = [(FakePacket(key == "K"), time) for key, time in zip(keys, times, strict=True)]
    steps = list(planned(packets, Grid(rate)))
    assert [(step.packet, step.time) for step in steps] == packets
    starts = [number for number, key in enumerate(keys) if key == "K"]
    last_group = [time for time in times[starts[-1] :] if time >= times[starts[-1]]]
    shown = {number for number, step in enumerate(steps) if step.use is Use.SHOWN}
    expected = wanted(times, rate, last_group)
    assert {times[number] for number in shown} >= expected
    # Where the first frame leads a keyframe, that keyframe may be taken for the first one as well.
    assert len({times[number] for number in shown} - expected) <= int(min(expected, default=0) != times[0])
    used = {number for number, step in enumerate(steps) if step.use is not Use.NOTHING}
    groups = [range(first, behind) for first, behind in pairwise([*starts, len(keys)])]
    for before, group in pairwise(groups):
        leading = {number for number in group if times[number] < times[group[0]]}
        if leading & shown:
            # Pictures before a keyframe are no reference for those of the next group.
            assert used.issuperset(number for number in before if times[number] >= times[before[0]])
            assert leading <= used
            assert not steps[group[0]].is_fresh_start
        else:
            # Nothing is decoded behind the last wanted frame of a group that no other needs.
            last = max(shown.intersection(before), default=before[0] - 1)
            settled = {number for number in before if times[number] < times[before[0]]}
            assert used.isdisjoint(set(range(last + 1, group[0])) - settled)
            assert used.isdisjoint(leading)
            assert (before[-1] not in used) <= steps[group[0]].is_fresh_start <= (before[-1] not in shown)
    for group in groups:
        last = max(shown.intersection(group), default=-1)
        leading = {number for number in group if times[number] < times[group[0]]}
        assert used.issuperset(set(range(group[0], last)) - leading)
    assert not any(step.is_fresh_start for number, step in enumerate(steps) if number == 0 or number not in starts)


def test_all_pictures_of_one_time_are_shown_where_one_is() -> None:
    # The decoder gives out the first it makes, whichever that is.
    assert signs(steps_of("KppppKpp", [0.0, 0.5, 1.0, 1.0, 1.5, 1.7, 1.8, 1.8])) == "SrSS.!SSS"
    # Also where one of them is the keyframe that follows, or leads it.
    assert signs(steps_of("KpppKppp", [0.0, 0.5, 0.9, 1.0, 1.0, 1.2, 1.4, 1.6])) == "SrrSSrSS"
    assert signs(steps_of("KppKbpp", [0.0, 0.5, 1.0, 2.0, 1.0, 2.5, 3.5])) == "SrSSSSS"


def test_a_frame_on_a_point_is_the_one_of_that_point() -> None:
    assert signs(steps_of("KppppKpp", [0.0, 0.999, 1.0, 1.001, 1.5, 1.7, 1.8, 1.9])) == "SrS..!rSS"


def test_a_point_at_the_time_of_the_next_keyframe_is_that_keyframes() -> None:
    assert signs(steps_of("KpppKpKp", [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75])) == "S...!S.!SS"


def test_the_last_two_times_are_shown_whatever_lies_in_them() -> None:
    assert signs(steps_of("Kppppp", every(0.1, 6))) == "SrrrSS"
    assert signs(steps_of("K", [0.3])) == "S"
    assert signs(steps_of("Kp", [-0.5, -0.2])) == ".."


@pytest.mark.parametrize(("count", "is_planned"), [(1498, True), (1499, True), (1500, False)])
def test_fifteen_hundred_packets_are_held_back(count: int, is_planned: bool) -> None:
    # The keyframe that follows is one of them.
    steps = steps_of("K" + "p" * (count - 1) + "Kp", [0.0, *(0.1 + number / 10**5 for number in range(count + 1))])
    assert (signs(steps)[1:].count(".") == count - 1) == is_planned


@pytest.mark.parametrize(("size", "is_planned"), [(2**20, True), (2**20 + 1, False)])
def test_64_mebibytes_are_held_back(size: int, is_planned: bool) -> None:
    # The keyframe that follows is one of 64 packets.
    steps = steps_of("K" + "p" * 62 + "Kp", [0.0, *(0.1 + number / 10**5 for number in range(64))], size=size)
    assert (signs(steps)[1:].count(".") == 62) == is_planned


def test_what_was_planned_makes_room_for_what_comes() -> None:
    # Groups of 600 packets: never more than two are held, whatever was held before.
    keys = ("K" + "p" * 599) * 4
    steps = steps_of(keys, [number / 1000 for number in range(2400)], Grid(Fraction(1, 100)), size=50_000)
    assert signs(steps).count("S") == 3


def test_planning_goes_on_behind_a_group_that_was_too_large() -> None:
    steps = steps_of("K" + "p" * 2000 + "Kpp" * 3, [number / 10_000 for number in range(2010)])
    assert signs(steps)[2001:] == "...!...!rSS"


def test_where_planning_ends_leading_pictures_behind_a_gap_stay_left_out() -> None:
    # The first group was left out behind its first frame; the picture at 0.55 s refers to it.
    times: list[float | None] = [0.0, 0.2, 0.4, 0.6, 0.55, 0.7, None, 0.9]
    assert signs(steps_of("KppKbppp", times)) == "S..!S.SSS"


def test_a_tolerance_counts_to_its_end_and_no_further() -> None:
    quarter = Grid(Fraction(1), Fraction(1, 4))
    assert signs(steps_of("KppppKp", [0.0, 0.75, 0.9, 1.0, 1.1, 1.25, 1.3], quarter)) == "S....!SS"
    assert signs(steps_of("KppppKp", [0.0, 0.75, 0.9, 1.0, 1.1, 1.26, 1.3], quarter)) == "SS...!SS"
    assert signs(steps_of("KppppKp", [0.0, 0.74, 0.9, 1.0, 1.1, 1.26, 1.3], quarter)) == "SrS..!SS"


def test_where_a_keyframe_is_near_each_point_nothing_else_is_decoded() -> None:
    half = Grid(Fraction(1), Fraction(1, 2))
    assert signs(steps_of("KpKpppKp", [0.0, 0.2, 1.3, 1.5, 1.7, 1.9, 2.1, 2.2], half)) == "S.!S...!SS"
    # Also within the first second.
    quarter = Grid(Fraction(2), Fraction(1, 4))
    assert signs(steps_of("KppppKp", [0.0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.7], quarter)) == "S....!SS"
    # A keyframe before time 0 is no frame of any point.
    assert signs(steps_of("KpKp", [-0.9, -0.5, -0.1, 0.4], half)) == "..!rS"
