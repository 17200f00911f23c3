"""Labels of segments, computed from the intervals in which a video shows its labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.types import LabelIntervals, Segment, SegmentLabels

__all__ = ["segment_labels"]


def segment_labels(segments: Sequence[Segment], found: LabelIntervals) -> list[SegmentLabels]:
    """Compute which labels each segment carries.

    A segment carries a label of which an interval overlaps it. The label covers the segment if one interval contains
    all of it.

    Args:
        segments: Of one video.
        found: Where the video shows its labels.

    Returns:
        One a segment, in their order.
    """
    starts = np.asarray([segment.start_seconds for segment in segments], np.float64)
    ends = np.asarray([segment.end_seconds for segment in segments], np.float64)
    some: list[list[str]] = [[] for _ in segments]
    whole: list[list[str]] = [[] for _ in segments]
    for label in sorted(found.intervals):
        intervals = found.of(label)
        if not len(intervals):
            continue
        # The first interval that ends after the segment's start is the only one that may cover it.
        first = np.searchsorted(intervals[:, 1], starts, side="right")
        nearest = intervals[np.minimum(first, len(intervals) - 1)]
        overlaps = (first < len(intervals)) & (nearest[:, 0] < ends)
        covers = overlaps & (nearest[:, 0] <= starts) & (nearest[:, 1] >= ends)
        for row in np.flatnonzero(overlaps):
            some[row].append(label)
        for row in np.flatnonzero(covers):
            whole[row].append(label)
    return [SegmentLabels(found.label_set, tuple(names), tuple(all_)) for names, all_ in zip(some, whole, strict=True)]
