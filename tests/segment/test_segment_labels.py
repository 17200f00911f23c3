from __future__ import annotations

from random import Random

import numpy as np
import pytest

from pipeline.segment.segment_labels import segment_labels
from pipeline.types import LabelIntervals, Segment, SegmentLabels


def intervals(*pairs: tuple[float, float]) -> LabelIntervals:
    return LabelIntervals("s1", {"person": np.asarray(pairs, np.float64).reshape(-1, 2)})


@pytest.mark.parametrize(
    ("pairs", "is_some", "is_whole"),
    [
        ([], False, False),
        ([(4, 8)], True, True),
        ([(0, 20)], True, True),
        ([(4, 7.999)], True, False),
        ([(4.001, 8)], True, False),
        ([(5, 6)], True, False),
        ([(0, 4)], False, False),
        ([(8, 9)], False, False),
        ([(0, 4.001)], True, False),
        ([(7.999, 9)], True, False),
        ([(0, 4), (8, 9)], False, False),
        ([(0, 4), (5, 6), (6.5, 7)], True, False),
        ([(0, 1), (2, 3), (3.5, 8.5), (9, 10)], True, True),
        # Each frame is in an interval, and which of the two is not known from here.
        ([(0, 6), (6, 9)], True, False),
    ],
)
def test_a_segment_carries_a_label_that_overlaps_it(
    pairs: list[tuple[float, float]], is_some: bool, is_whole: bool
) -> None:
    [found] = segment_labels([Segment("v", 4, 8, 0)], intervals(*pairs))
    assert found == SegmentLabels("s1", ("person",) * is_some, ("person",) * is_whole)


def test_labels_are_sorted_and_of_each_segment() -> None:
    found = LabelIntervals(
        "s1", {"van": np.asarray([[0, 6.0]]), "car": np.asarray([[5, 8.0]]), "boat": np.empty((0, 2))}
    )
    segments = [Segment("v", 0, 4, 0), Segment("v", 4, 8, 1), Segment("v", 8, 12, 2)]
    assert segment_labels(segments, found) == [
        SegmentLabels("s1", ("van",), ("van",)),
        SegmentLabels("s1", ("car", "van"), ()),
        SegmentLabels("s1"),
    ]


@pytest.mark.parametrize("seed", range(20))
def test_no_frame_of_a_label_is_in_a_segment_without_it(seed: int) -> None:
    """And none outside of it is in a segment that it covers: what a filter of rows leaves out has no frame to show."""
    random = Random(seed)
    edges = sorted(random.sample(range(40), 2 * random.randint(1, 8)))
    found = intervals(*zip(map(float, edges[::2]), map(float, edges[1::2]), strict=True))
    segments = [Segment("v", start, start + random.randint(1, 9), n) for n, start in enumerate(range(0, 40, 3))]
    for segment, labels in zip(segments, segment_labels(segments, found), strict=True):
        frames = np.arange(segment.start_seconds, segment.end_seconds, 0.5)
        is_in = [any(start <= frame < end for start, end in found.of("person")) for frame in frames]
        assert bool(labels.some) == any(is_in)
        assert bool(labels.whole) == all(is_in)


@pytest.mark.parametrize(
    "pairs", [[(1, 1)], [(2, 1)], [(3, 4), (1, 2)], [(1, 3), (2, 4)], [(0, float("inf"))], [(float("nan"), 1)]]
)
def test_intervals_that_are_none_are_refused(pairs: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="label 'person'"):
        intervals(*pairs)


def test_intervals_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(K, 2\)"):
        LabelIntervals("s1", {"person": np.zeros(4)})


def test_labels_that_cover_a_segment_overlap_it() -> None:
    with pytest.raises(ValueError, match="not among"):
        SegmentLabels("s1", ("car",), ("van",))
