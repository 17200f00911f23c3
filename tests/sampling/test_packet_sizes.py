from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from pipeline.packets import Packets
from pipeline.sampling.packet_sizes import merged, spans_to_survey

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
