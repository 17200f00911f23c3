"""Which packets are decoded for the frames of some spans, on packet lists that are told apart by their letters."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.types.packets import Packets
from pipeline.video.pyav.gop_plan import Use
from pipeline.video.pyav.packet_list import PacketUses, uses_within

SIGNS = {Use.SHOWN: "S", Use.REFERENCE: "r", Use.NOTHING: "."}


def listed(keys: str, ticks: Sequence[int] | None = None) -> Packets:
    """Packets in decoding order: "K" is a keyframe. A tick is a second, and the playback clock begins at 100 s."""
    shown = range(len(keys)) if ticks is None else ticks
    return Packets(
        ticks=np.array([100 + tick for tick in shown], np.int64),
        sizes=np.full(len(keys), 100, np.int64),
        is_keyframe=np.array([key == "K" for key in keys], bool),
        time_base=Fraction(1),
        start_time=Fraction(100),
    )


def spans_of(*bounds: tuple[float, float]) -> list[tuple[Fraction, Fraction]]:
    return [(Fraction(start), Fraction(end)) for start, end in bounds]


def signs(uses: PacketUses) -> str:
    """S for shown, r for referred to, . for left out; ! goes before a fresh start."""
    return "".join("!" * (number in uses.fresh_starts) + SIGNS[use] for number, use in enumerate(uses.uses))


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], "........"),
        ([(0, 1)], "!S......."),
        ([(0, 8)], "!SSSSSSSS"),
        ([(3, 4)], "!rrrS...."),
        ([(4, 5)], "....!S..."),
        ([(5, 7)], "....!rSS."),
        ([(3, 5)], "!rrrSS..."),
        ([(2, 3), (6, 7)], "!rrS.!rrS."),
        ([(2.5, 3.5), (3.75, 4.5)], "!rrrSS..."),
        # A span begins at its start and ends before its end.
        ([(2, 2.5)], "!rrS....."),
        ([(1.5, 2)], "........"),
        ([(7, 99)], "....!rrrS"),
        ([(8, 99)], "........"),
        ([(-9, 0)], "........"),
        ([(-9, 0.5)], "!S......."),
    ],
)
def test_a_group_is_decoded_to_its_last_wanted_frame(spans: list[tuple[float, float]], expected: str) -> None:
    assert signs(uses_within(listed("KpppKppp"), spans_of(*spans))) == expected


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        # The pictures at 3 and 4 come behind the keyframe at 5 and are shown before it.
        ([(5, 6)], "...!S..."),
        ([(6, 7)], "...!r..S"),
        ([(3, 4)], "!rrrrS.."),
        ([(4, 5)], "!rrrrrS."),
        ([(4, 7)], "!rrrSrSS"),
        ([(2, 4)], "!rrSrS.."),
        ([(1, 2)], "!rS....."),
    ],
)
def test_leading_pictures_need_the_group_before(spans: list[tuple[float, float]], expected: str) -> None:
    assert signs(uses_within(listed("KppKbbp", [0, 1, 2, 5, 3, 4, 6]), spans_of(*spans))) == expected


def test_leading_pictures_of_the_group_before_are_not_needed() -> None:
    packets = listed("KpKbpKbp", [0, 1, 3, 2, 4, 6, 5, 7])
    assert signs(uses_within(packets, spans_of((5, 6)))) == "..!r.rrS."
    assert signs(uses_within(packets, spans_of((2, 3), (5, 6)))) == "!rrrSrrS."


def test_a_chain_of_open_groups_needs_each_before_the_wanted_one_whole() -> None:
    packets = listed("KpKbKb", [0, 1, 3, 2, 5, 4])
    assert signs(uses_within(packets, spans_of((4, 5)))) == "..!r.rS"
    assert signs(uses_within(packets, spans_of((5, 6)))) == "....!S."


@pytest.mark.parametrize(
    ("keys", "ticks", "spans", "expected"),
    [
        ("ppKp", None, [(1, 2)], "rS.."),
        ("ppKp", None, [(0, 1)], "S..."),
        ("ppKp", None, [(0, 1), (2, 3)], "S.!S."),
        ("ppKp", None, [(1, 3)], "rSS."),
        ("ppKp", None, [(3, 4)], "..!rS"),
        ("ppKb", [0, 1, 3, 2], [(2, 3)], "rrrS"),
        ("pppp", None, [(2, 3)], "rrS."),
        ("pppp", None, [(9, 10)], "...."),
        ("Kp", None, [(1, 2)], "rS"),
    ],
)
def test_what_comes_before_the_first_keyframe_is_a_group_of_its_own(
    keys: str, ticks: list[int] | None, spans: list[tuple[float, float]], expected: str
) -> None:
    found = uses_within(listed(keys, ticks), spans_of(*spans))
    signs_without_first = signs(found).removeprefix("!")
    assert signs_without_first == expected


@st.composite
def streams(draw: st.DrawFn) -> tuple[str, list[int]]:
    """Groups that begin with a keyframe and up to three pictures shown before it."""
    keys, ticks, now = "", [], 0
    for number in range(draw(st.integers(1, 5))):
        leading = draw(st.integers(0, 3)) if number else 0
        following = draw(st.integers(0, 4))
        keys += "K" + "b" * leading + "p" * following
        ticks += [now + leading, *range(now, now + leading), *range(now + leading + 1, now + leading + 1 + following)]
        now += leading + 1 + following
    return keys, ticks


@given(stream=streams(), bounds=st.lists(st.integers(0, 24), max_size=6, unique=True).map(sorted))
@settings(max_examples=60, deadline=None)
def test_all_that_a_wanted_frame_needs_is_decoded(stream: tuple[str, list[int]], bounds: list[int]) -> None:
    keys, ticks = stream
    spans = list(zip(bounds[::2], bounds[1::2], strict=False))
    found = uses_within(listed(keys, ticks), spans_of(*spans))
    used = {number for number, use in enumerate(found.uses) if use is not Use.NOTHING}
    shown = {number for number, use in enumerate(found.uses) if use is Use.SHOWN}
    assert shown == {number for number, tick in enumerate(ticks) if any(start <= tick < end for start, end in spans)}
    for number in shown:
        first = keys.rindex("K", 0, number + 1)
        assert used.issuperset(place for place in range(first, number) if ticks[place] >= ticks[first])
        if ticks[number] < ticks[first]:
            assert used.issuperset(range(first, number))
            before = keys.rindex("K", 0, first)
            assert used.issuperset(place for place in range(before, first) if ticks[place] >= ticks[before])
    starts = [number for number, key in enumerate(keys) if key == "K"]
    groups = [range(first, behind) for first, behind in pairwise([*starts, len(keys)])]
    for before, group in pairwise(groups):
        has_wanted_leading = any(number in shown and ticks[number] < ticks[group[0]] for number in group)
        if not has_wanted_leading:
            # Nothing is decoded behind the last wanted frame of a group that no other needs.
            last = max(shown.intersection(before), default=before[0] - 1)
            assert used.isdisjoint(range(last + 1, group[0]))
        is_fresh = group[0] in used and not has_wanted_leading and before[-1] not in used
        assert (group[0] in found.fresh_starts) == is_fresh


def test_a_picture_at_the_time_of_its_keyframe_needs_no_group_before() -> None:
    assert signs(uses_within(listed("KpKpp", [0, 1, 2, 2, 3]), spans_of((2, 3)))) == "..!SS."
