"""Labels of a video as search and index use them: intervals by label, and what a segment carries of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["LabelIntervals", "SegmentLabels"]


@dataclass(frozen=True)
class SegmentLabels:
    """The labels of one segment.

    Attributes:
        label_set: Fingerprint of the label set that the labels are from.
        some: Labels of which an interval overlaps the segment, sorted.
        whole: Those of them in whose intervals all of the segment lies, sorted.
    """

    label_set: str
    some: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.label_set or not set(self.whole) <= set(self.some):
            raise ValueError(f"label set {self.label_set!r}: {self.whole} are not among {self.some}")


@dataclass(frozen=True, eq=False)
class LabelIntervals:
    """Where the labels of a label set are shown in one video.

    Attributes:
        label_set: Fingerprint of the label set.
        intervals: By label, float64 (K, 2): half-open intervals in seconds, in order, without overlap. A label that the
            video does not show has none, or is missing.
    """

    label_set: str
    intervals: Mapping[str, npt.NDArray[np.float64]]

    def __post_init__(self) -> None:
        for label, intervals in self.intervals.items():
            if intervals.ndim != 2 or intervals.shape[1] != 2:
                raise ValueError(f"label {label!r}: expected intervals (K, 2), got {intervals.shape}")
            flat = intervals.ravel()
            is_ordered = bool((np.diff(flat) >= 0).all() and (np.diff(intervals, axis=1) > 0).all())
            if not is_ordered or not bool(np.isfinite(flat).all()):
                raise ValueError(f"label {label!r}: its intervals overlap, are empty or not in order")
            intervals.setflags(write=False)

    def of(self, label: str) -> npt.NDArray[np.float64]:
        """The intervals of a label, float64 (K, 2); none where the video does not show it."""
        found = self.intervals.get(label)
        return np.empty((0, 2)) if found is None else found
