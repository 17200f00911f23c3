from __future__ import annotations

from fractions import Fraction

from pipeline.analyze.duplicates.groups import copy_groups
from pipeline.analyze.duplicates.pairs import DuplicatePair, Stretch
from pipeline.types import Status, VideoInfo, VideoRecord


def record(video_id: str, *, seconds: float = 60.0, width: int = 640) -> VideoRecord:
    info = VideoInfo(
        uri=video_id, container="mp4", codec="h264", width=width, height=360, rotation_degrees=0,
        time_base=Fraction(1, 1000), start_time=Fraction(0), average_rate=None, duration_seconds=seconds,
    )  # fmt: skip
    return VideoRecord(
        video_id=video_id, names=(video_id,), status=Status.DONE, info=info, duration_seconds=seconds,
        covered_seconds=seconds, frame_count=1,
    )  # fmt: skip


def pair(a: str, b: str, seconds: float = 60.0) -> DuplicatePair:
    return DuplicatePair(Stretch(a, 0.0, seconds), Stretch(b, 0.0, seconds), 1.0, 0.9)


def groups(pairs, *records):
    return [group.members for group in copy_groups(pairs, {each.video_id: each for each in records})]


def test_copies_of_copies_are_one_group():
    assert groups([pair("a", "b"), pair("c", "b"), pair("d", "e")], *map(record, "abcde")) == [
        ("a", "b", "c"),
        ("d", "e"),
    ]


def test_the_original_has_the_most_pixels_of_those_that_are_whole():
    records = record("a", width=320), record("b", width=1280, seconds=58), record("c", width=1920, seconds=40)
    assert groups([pair("a", "b", 58), pair("a", "c", 40)], *records) == [("b", "a", "c")]


def test_a_common_opening_makes_no_group():
    assert groups([pair("a", "b", 6.0)], record("a"), record("b")) == []


def test_two_parts_together_make_a_copy():
    assert groups([pair("a", "b", 20.0), pair("a", "b", 20.0)], record("a"), record("b")) == [("a", "b")]


def test_repetitions_within_a_video_make_no_group():
    assert groups([pair("a", "a")], record("a")) == []
