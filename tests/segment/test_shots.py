from __future__ import annotations

from fractions import Fraction

import pytest

from pipeline.config import validate
from pipeline.errors import ConfigError
from pipeline.segment import Shots
from pipeline.testing.segmenter import SegmenterContract, frames_at, intervals

EVERY_HALF = [k * 0.5 for k in range(40)]


class TestDefaults(SegmenterContract):
    segmenter = Shots()


class TestUndivided(SegmenterContract):
    segmenter = Shots(max_seconds=None, min_seconds=0)


class TestFinelyDivided(SegmenterContract):
    segmenter = Shots(max_seconds=0.7, min_seconds=0.3)


def test_segments_lie_between_cuts() -> None:
    segments = Shots().segments(frames_at(EVERY_HALF, 20.0, (3.0, 9.5, 14.0)))
    assert intervals(segments) == [(0, 3), (3, 9.5), (9.5, 14), (14, 20)]


def test_long_shots_are_divided_evenly() -> None:
    segments = Shots().segments(frames_at(EVERY_HALF, 20.0, (2.0,)))
    assert intervals(segments) == [(0, 2), (2, 8), (8, 14), (14, 20)]


def test_frames_on_the_rounded_bounds_of_parts_are_not_lost() -> None:
    for cut in (0.1, 0.7, 1.3, 2.9):
        for end in (9.7, 11.1, 20.3):
            length = Fraction(end) - Fraction(cut)
            bounds = [float(Fraction(cut) + length * k / 7) for k in range(7)]
            segments = Shots(max_seconds=float(length / 7) * 1.001, min_seconds=0).segments(
                frames_at(bounds, end, (cut,))
            )
            assert [start for start, _ in intervals(segments)] == bounds


def test_a_shot_of_just_the_greatest_length_is_not_divided() -> None:
    assert intervals(Shots(max_seconds=20.0).segments(frames_at(EVERY_HALF, 20.0))) == [(0, 20)]


def test_without_a_greatest_length_nothing_is_divided() -> None:
    assert intervals(Shots(max_seconds=None).segments(frames_at(EVERY_HALF, 20.0))) == [(0, 20)]


def test_a_tiny_shot_joins_the_one_that_follows() -> None:
    segments = Shots(min_seconds=1.0).segments(frames_at(EVERY_HALF[:24], 12.0, (5.0, 5.5, 8.0)))
    assert intervals(segments) == [(0, 5), (5, 8), (8, 12)]


def test_a_tiny_last_shot_joins_the_one_before_it() -> None:
    segments = Shots(min_seconds=1.0).segments(frames_at(EVERY_HALF[:24], 12.0, (5.0, 11.5)))
    assert intervals(segments) == [(0, 5), (5, 12)]


def test_a_flurry_of_cuts_gives_shots_of_the_least_length() -> None:
    cuts = tuple(4 + k * 0.4 for k in range(11))
    segments = Shots(min_seconds=1.0).segments(frames_at(EVERY_HALF[:24], 12.0, cuts))
    assert min(end - start for start, end in intervals(segments)) >= 1.0
    assert len(segments) > 4


def test_shots_without_a_frame_are_left_out() -> None:
    segments = Shots().segments(frames_at([1.0, 11.0], 12.0, (4.0, 8.0)))
    assert intervals(segments) == [(0, 4), (8, 12)]
    assert [segment.ordinal for segment in segments] == [0, 1]


def test_the_frame_at_a_cut_belongs_to_the_new_shot() -> None:
    assert intervals(Shots().segments(frames_at([4.0], 8.0, (4.0,)))) == [(4, 8)]


def test_cuts_outside_the_video_are_ignored() -> None:
    assert intervals(Shots().segments(frames_at([1.0], 8.0, (0.0, 8.0, 9.0)))) == [(0, 8)]


def test_cuts_not_looked_for_name_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"they were not detected in v1; set sampling\.cuts .* \(fixed_windows\)"):
        Shots().segments(frames_at([1.0], 8.0, None))


def test_a_least_length_above_the_greatest_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"min_seconds \(2\.0\) must not exceed max_seconds \(1\.0\)"):
        validate(Shots, {"min_seconds": 2.0, "max_seconds": 1.0})


@pytest.mark.parametrize(
    ("cuts", "expected"),
    [
        # A shot of just the least length is one, at the beginning, in the middle and at the end.
        ((1.0,), [(0, 1), (1, 12)]),
        ((0.999,), [(0, 12)]),
        ((5.0, 6.0), [(0, 5), (5, 6), (6, 12)]),
        ((5.0, 5.999), [(0, 5), (5, 12)]),
        ((11.0,), [(0, 11), (11, 12)]),
        ((11.001,), [(0, 12)]),
        # A tiny last shot joins the one before it, however short that makes no difference to those before.
        ((5.0, 11.5), [(0, 5), (5, 12)]),
        ((10.5, 11.5), [(0, 10.5), (10.5, 12)]),
        ((12.0,), [(0, 12)]),
        ((6.0, 6.0), [(0, 6), (6, 12)]),
        ((8.0, 4.0), [(0, 4), (4, 8), (8, 12)]),
    ],
)
def test_shots_of_the_least_length_stand_alone(cuts: tuple[float, ...], expected: list[tuple[float, float]]) -> None:
    shots = Shots(min_seconds=1.0, max_seconds=None)
    assert intervals(shots.segments(frames_at(EVERY_HALF[:24], 12.0, cuts))) == expected


def test_a_video_shorter_than_the_least_shot_is_one() -> None:
    assert intervals(Shots(min_seconds=1.0).segments(frames_at([0.0], 0.4, (0.2,)))) == [(0, 0.4)]


@pytest.mark.parametrize(("end", "count"), [(7.999, 1), (8.0, 1), (8.001, 2), (16.0, 2), (16.001, 3)])
def test_a_shot_is_divided_into_as_few_parts_as_may_be(end: float, count: int) -> None:
    times = [k / 10 for k in range(int(end * 10))]
    found = intervals(Shots().segments(frames_at(times, end)))
    assert len(found) == count
    assert [after - before for before, after in found] == pytest.approx([end / count] * count)


def test_a_least_length_equal_to_the_greatest_is_taken() -> None:
    assert Shots(min_seconds=2.0, max_seconds=2.0).min_seconds == 2.0


def test_the_defaults_are_read_back_as_they_are() -> None:
    assert validate(Shots, Shots().model_dump(mode="json")) == Shots()
