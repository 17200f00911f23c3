from __future__ import annotations

import pytest
from pydantic import ValidationError

from pipeline.config import validate
from pipeline.segment import FixedWindows, Scales, Shots
from pipeline.testing.segmenter import SegmenterContract, frames_at, intervals


class TestScales(SegmenterContract):
    segmenter = Scales()


class TestOneScale(SegmenterContract):
    segmenter = Scales(lengths_seconds=(3.0,))


def test_windows_of_each_length_half_overlapped() -> None:
    frames = frames_at([float(second) for second in range(8)], 8.0)
    found = intervals(Scales(lengths_seconds=(4.0, 8.0)).segments(frames))
    assert found == [(0, 4), (0, 8), (2, 6), (4, 8)]


def test_one_length_is_what_windows_are() -> None:
    frames = frames_at([0.0, 1.0, 5.0, 6.5, 30.0], 31.0)
    assert Scales(lengths_seconds=(4.0,)).segments(frames) == FixedWindows().segments(frames)


def test_what_is_shorter_than_all_lengths_comes_once() -> None:
    assert intervals(Scales(lengths_seconds=(4.0, 8.0, 16.0)).segments(frames_at([0.0, 1.0], 2.0))) == [(0, 2)]


@pytest.mark.parametrize("lengths", [(), (0.0,), (2.0, 2.0), (4.0, 2.0), (-1.0, 2.0)])
def test_lengths_that_make_no_sense_are_refused(lengths: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError):
        Scales(lengths_seconds=lengths)


def test_lengths_are_taken_down_to_none_and_up_to_eight() -> None:
    assert Scales(lengths_seconds=(1e-6,)).needs_cuts is False
    assert len(Scales(lengths_seconds=(1, 2, 3, 4, 5, 6, 7, 8)).lengths_seconds) == 8
    with pytest.raises(ValidationError):
        Scales(lengths_seconds=(1, 2, 3, 4, 5, 6, 7, 8, 9))


def test_what_is_indexed_where_nothing_is_said() -> None:
    assert Scales().lengths_seconds == (2.0, 8.0, 32.0)
    assert (FixedWindows().length_seconds, FixedWindows().overlap_seconds) == (4.0, 2.0)
    assert (Shots().max_seconds, Shots().min_seconds) == (8.0, 0.5)


def test_the_defaults_are_read_back_as_they_are() -> None:
    assert validate(Scales, Scales().model_dump(mode="json")) == Scales()
