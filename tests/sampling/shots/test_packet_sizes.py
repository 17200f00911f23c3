from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from pipeline.sampling.shots.packet_sizes import merged, spans_to_survey
from pipeline.types.packets import Packets

KEY, SMALL = 10_000, 300


def packets(*groups: Sequence[int], first_tick: int = 0) -> Packets:
    """Groups of packets by their sizes, a tick and a second each."""
    sizes = [size for group in groups for size in group]
    keys = [number == 0 for group in groups for number in range(len(group))]
    ticks = np.arange(first_tick, first_tick + len(sizes))
    return Packets(ticks, np.array(sizes), np.array(keys), Fraction(1), Fraction(0))


def calm(length: int = 30) -> list[int]:
    return [KEY, *[SMALL] * (length - 1)]


def with_packet(size: int, place: int, length: int = 30) -> list[int]:
    return [*calm(length)[:place], size, *calm(length)[place + 1 :]]


def test_of_calm_groups_only_the_keyframe_is_looked_at_but_of_the_last_one_all() -> None:
    assert spans_to_survey(packets(calm(), calm(), calm())) == ((0, 1), (30, 31), (60, 90))


@pytest.mark.parametrize("size", [KEY, KEY // 2, KEY // 4])
def test_a_group_is_surveyed_to_a_few_frames_behind_a_packet_that_is_large_for_its_place(size: int) -> None:
    assert spans_to_survey(packets(with_packet(size, 10), calm(), calm())) == ((0, 19), (30, 31), (60, 90))


def test_movement_that_makes_all_packets_large_is_no_cut() -> None:
    busy = [KEY, *[KEY * 2 // 5] * 29]
    assert spans_to_survey(packets(busy, calm(), calm())) == ((0, 1), (30, 31), (60, 90))


def test_a_packet_is_large_in_the_eyes_of_the_smaller_keyframe_around() -> None:
    dark = [KEY // 10, *[SMALL // 10] * 29]
    assert spans_to_survey(packets(with_packet(KEY // 15, 10), dark, dark)) == ((0, 19), (30, 31), (60, 90))


def test_a_group_that_ends_early_is_surveyed_with_what_follows() -> None:
    assert spans_to_survey(packets(calm(), calm(12), calm(), calm())) == ((0, 1), (30, 51), (72, 102))


@pytest.mark.parametrize(
    "silent",
    [
        packets([KEY] * 40),
        packets(calm()),
        packets(*[[KEY, SMALL]] * 20),
        packets([KEY], *[[KEY]] * 30),
        packets(calm(), calm(), first_tick=-2),
    ],
    ids=["intra flagged once", "one group", "pairs", "all keyframes", "before the beginning"],
)
def test_packets_that_tell_nothing(silent: Packets) -> None:
    assert spans_to_survey(silent) is None


def test_spans_that_touch_are_one() -> None:
    spans = [
        (Fraction(4), Fraction(6)),
        (Fraction(0), Fraction(2)),
        (Fraction(2), Fraction(3)),
        (Fraction(5), Fraction(9)),
    ]
    assert list(merged(spans)) == [(0, 3), (4, 9)]


@pytest.mark.parametrize(("size", "is_suspect"), [(2000, True), (1999, False)])
def test_a_fifth_of_a_keyframe_is_large_enough_where_it_stands_out(size: int, is_suspect: bool) -> None:
    spans = spans_to_survey(packets(with_packet(size, 10), calm(), calm()))
    assert spans == (((0, 19) if is_suspect else (0, 1)), (30, 31), (60, 90))


@pytest.mark.parametrize(("around", "is_suspect"), [(2000, True), (2001, False)])
def test_a_packet_stands_out_that_is_twice_as_large_as_most_around(around: int, is_suspect: bool) -> None:
    group = [KEY, *[around] * 29]
    group[10] = 4000
    found = spans_to_survey(packets(group, calm(), calm()))
    assert found is not None
    assert (found[0] == (0, 19)) == is_suspect


@pytest.mark.parametrize(("distances", "is_suspect"), [((8, 8), False), ((8, 9), True), ((9, 8), True)])
def test_eight_packets_to_either_side_are_looked_at(distances: tuple[int, int], is_suspect: bool) -> None:
    # A quarter of what lies around is half as large and more, if the two outer ones are among it.
    group = with_packet(3500, 14)
    for place in (14 - distances[0], 13, 15, 14 + distances[1]):
        group[place] = 1900
    found = spans_to_survey(packets(group, calm(), calm()))
    assert found is not None
    assert found[0] == ((0, 23) if is_suspect else (0, 1))


def test_the_last_suspect_of_a_group_is_where_its_survey_ends() -> None:
    group = with_packet(KEY, 5)
    group[12] = KEY // 2
    assert spans_to_survey(packets(group, calm(), calm())) == ((0, 21), (30, 31), (60, 90))
    # Also where it is the last packet of all, or the first behind the keyframe.
    assert spans_to_survey(packets(with_packet(KEY, 29), calm(), calm())) == ((0, 38), (60, 90))
    assert spans_to_survey(packets(with_packet(KEY, 1), calm(), calm())) == ((0, 10), (30, 31), (60, 90))


@pytest.mark.parametrize(("length", "tells"), [(2, False), (3, True)])
def test_groups_of_three_tell_and_pairs_do_not(length: int, tells: bool) -> None:
    assert (spans_to_survey(packets(*[[KEY, SMALL, SMALL][:length]] * 10)) is not None) == tells


def test_packets_from_time_zero_on_tell_where_two_groups_are_whole() -> None:
    assert spans_to_survey(packets(calm(), calm(), first_tick=0)) == ((0, 1), (30, 60))
    assert spans_to_survey(packets(calm(), calm(), first_tick=-1)) is None
    assert spans_to_survey(packets(calm(), calm(), first_tick=5)) == ((5, 6), (35, 65))


def test_a_span_within_another_leaves_its_end() -> None:
    spans = [(Fraction(0), Fraction(9)), (Fraction(1), Fraction(2)), (Fraction(9), Fraction(10))]
    assert list(merged(spans)) == [(0, 10)]
    assert list(merged([])) == []


@pytest.mark.parametrize(("first", "is_suspect"), [(1900, False), (SMALL, True)])
def test_the_first_packet_behind_a_keyframe_is_one_of_those_around(first: int, is_suspect: bool) -> None:
    group = with_packet(3500, 5)
    # Of 14 packets around the fifth, four are large with the first, and three without.
    for place, size in ((1, first), (4, 1900), (6, 1900)):
        group[place] = size
    found = spans_to_survey(packets(group, calm(), calm()))
    assert found is not None
    assert found[0] == ((0, 14) if is_suspect else (0, 1))
