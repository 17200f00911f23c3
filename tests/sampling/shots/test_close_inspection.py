"""What is decoded around a candidate, and how candidates are found among the frames of a survey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from synthetic_films import DrawnFrame, film, shot

from pipeline.sampling import CutDetection
from pipeline.sampling.shots.close_inspection import Inspection, cuts_at_hand, without_overlap
from pipeline.sampling.shots.detector import Cut
from pipeline.sampling.shots.survey import CutCandidate, CutCandidateSearch, hides_cut
from pipeline.types.packets import Packets

ANY_SHOT = CutDetection(min_shot_seconds=0.0)
TWO_SHOTS = film([*shot(1, 30), *shot(2, 30)])


def hundredths(*values: int) -> tuple[Fraction, ...]:
    return tuple(Fraction(value, 100) for value in values)


def every_frame(frames: Sequence[DrawnFrame]) -> Packets:
    count = len(frames)
    keys = np.array([frame.is_keyframe for frame in frames], bool)
    ticks = np.array([round(frame.time * 25) for frame in frames], np.int64)
    return Packets(ticks, np.full(count, 100), keys, Fraction(1, 25), Fraction(0))


def candidate_between(frames: Sequence[DrawnFrame], before: int, around: range, group_start: int = 0) -> CutCandidate:
    """A candidate between one of the frames around and the next one of them."""
    shown = tuple(frames[number] for number in around)
    place = list(around).index(before)
    return CutCandidate(shown[place], shown[place + 1], shown, Fraction(group_start, 25))


def test_around_a_jump_a_tenth_of_a_second_is_looked_at_and_what_was_seen_there() -> None:
    candidate = candidate_between(TWO_SHOTS, 28, range(26, 34, 2), group_start=20)
    inspection = Inspection.around(candidate, None)
    assert (inspection.group_start, inspection.start, inspection.end) == hundredths(80, 102, 130)
    assert inspection.candidates == (hundredths(112, 120),)
    wide = Inspection.around(candidate_between(TWO_SHOTS, 28, range(20, 40, 2)), None)
    assert (wide.group_start, wide.start, wide.end) == hundredths(0, 80, 152)


def test_around_a_jump_five_frames_before_and_four_behind_are_looked_at() -> None:
    candidate = candidate_between(TWO_SHOTS, 28, range(26, 34, 2), group_start=28)
    inspection = Inspection.around(candidate, every_frame(TWO_SHOTS))
    assert (inspection.group_start, inspection.start, inspection.end) == hundredths(92, 92, 136)
    fast = [replace(frame, time=frame.time / 8) for frame in TWO_SHOTS]
    packets = replace(every_frame(TWO_SHOTS), time_base=Fraction(1, 200))
    inspection = Inspection.around(candidate_between(fast, 28, range(26, 34, 2)), packets)
    assert (inspection.start, inspection.end) == (
        Fraction(28, 200) - Fraction(1, 10),
        Fraction(30, 200) + Fraction(1, 10),
    )


def test_nothing_is_looked_at_before_the_beginning() -> None:
    assert Inspection.around(candidate_between(TWO_SHOTS, 1, range(4)), None).start == 0


def inspection(group_start: int, start: int, end: int, *candidates: tuple[int, int]) -> Inspection:
    spans = tuple((Fraction(before), Fraction(after)) for before, after in candidates)
    return Inspection(Fraction(group_start), Fraction(start), Fraction(end), spans)


def test_stretches_for_which_the_same_frames_are_decoded_are_one() -> None:
    one, other = inspection(0, 4, 10, (6, 7)), inspection(10, 12, 14, (12, 13))
    assert without_overlap([other, one]) == [inspection(0, 4, 14, (6, 7), (12, 13))]
    behind = inspection(11, 12, 14, (12, 13))
    assert without_overlap([behind, one]) == [one, behind]
    # The same candidate twice is one; an inspection within another leaves its bounds.
    assert without_overlap([one, inspection(2, 3, 9, (6, 7))]) == [inspection(0, 3, 10, (6, 7))]
    assert without_overlap([]) == []


def test_a_cut_is_told_at_hand_where_no_frame_was_left_out() -> None:
    whole = candidate_between(TWO_SHOTS, 29, range(20, 40))
    assert cuts_at_hand(whole, every_frame(TWO_SHOTS), None, ANY_SHOT) == [Cut(Fraction(30, 25), False)]
    # One of the frames around is missing: the detector is to see it first.
    with_hole = CutCandidate(whole.before, whole.after, (*whole.around[:3], *whole.around[4:]), Fraction(0))
    assert cuts_at_hand(with_hole, every_frame(TWO_SHOTS), None, ANY_SHOT) is None
    # Just as many frames as the detector needs, and one fewer on either side.
    for around, is_enough in ((range(24, 35), True), (range(25, 35), False), (range(24, 34), False)):
        found = cuts_at_hand(candidate_between(TWO_SHOTS, 29, around), every_frame(TWO_SHOTS), None, ANY_SHOT)
        assert (found is not None) == is_enough


def test_frames_missing_beyond_the_ends_of_the_video_are_not_waited_for() -> None:
    short = film([*shot(1, 30), *shot(2, 2)])
    at_the_end = candidate_between(short, 29, range(20, 32))
    assert cuts_at_hand(at_the_end, every_frame(short), None, ANY_SHOT) == [Cut(Fraction(30, 25), False)]


@pytest.mark.parametrize(
    ("is_keyframe", "rate", "gap", "is_told"),
    [
        (True, 25, 1, True),
        (False, 25, 1, False),
        (True, None, 1, False),
        (True, 25, 2, False),
        (True, 37, 1, True),
        (True, 38, 1, False),
    ],
)
def test_without_packets_a_cut_at_a_keyframe_right_behind_the_last_frame_is_plain(
    is_keyframe: bool, rate: int | None, gap: int, is_told: bool
) -> None:
    frames = [replace(frame, is_keyframe=is_keyframe and frame.number == 30) for frame in TWO_SHOTS]
    numbers = [*range(20, 31 - gap), *range(30, 40)]
    shown = tuple(frames[number] for number in numbers)
    candidate = CutCandidate(frames[30 - gap], frames[30], shown, Fraction(0))
    found = cuts_at_hand(candidate, None, None if rate is None else Fraction(rate), ANY_SHOT)
    assert found == ([Cut(Fraction(30, 25), False)] if is_told else None)


def candidates_of(frames: Sequence[DrawnFrame]) -> list[CutCandidate]:
    search = CutCandidateSearch(2.5)
    found = [candidate for frame in frames for candidate in search.feed(frame)]
    return [*found, *search.finish()]


@pytest.mark.parametrize("cut", [1, 2, 5, 6, 7, 12, 13, 14, 30])
def test_a_jump_is_told_with_six_frames_to_either_side(cut: int) -> None:
    frames = film([*shot(1, cut, pan=0.2), *shot(2, 31 - cut, pan=0.2)])
    (candidate,) = candidates_of(frames)
    assert (candidate.before, candidate.after) == (frames[cut - 1], frames[cut])
    numbers = [frames.index(frame) for frame in candidate.around]  # type: ignore[arg-type]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert numbers[0] <= max(0, cut - 6)
    assert numbers[-1] >= min(30, cut + 6)
    assert len(numbers) <= 13


def test_frames_behind_a_gap_begin_anew() -> None:
    frames = film([*shot(1, 10, pan=0.2), *shot(2, 10, pan=0.2)])
    search = CutCandidateSearch(2.5)
    found = [candidate for frame in frames[:10] for candidate in search.feed(frame)]
    found += search.feed_after_gap(frames[10])
    found += [candidate for frame in frames[11:] for candidate in search.feed(frame)]
    assert [*found, *search.finish()] == []
    assert search.latest is frames[-1]


def test_a_jumps_group_begins_at_the_last_keyframe_before_what_is_around() -> None:
    frames = [replace(frame, is_keyframe=frame.number in (0, 10, 22, 29)) for frame in TWO_SHOTS]
    (candidate,) = candidates_of(frames)
    first = min(frames.index(frame) for frame in candidate.around)  # type: ignore[arg-type]
    assert candidate.group_start == Fraction(22 if first >= 22 else 10, 25)


def test_a_gap_hides_a_cut_where_its_ends_differ() -> None:
    one, other = TWO_SHOTS[0].thumbnail(), TWO_SHOTS[40].thumbnail()
    assert hides_cut(one, other)
    assert not hides_cut(one, one)
    assert not hides_cut(one, TWO_SHOTS[1].thumbnail())
    # To or from one colour, however little that changes.
    grey = np.full_like(one, 100)
    assert hides_cut(grey, np.full_like(one, 103))
    assert not hides_cut(grey, np.full_like(one, 102))
