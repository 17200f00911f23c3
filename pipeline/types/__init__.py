"""The value types that flow through the pipeline, and their invariants.

Times: a `Fraction` is an exact time on the video's playback clock, whose zero is the container's start time (what a
player shows as 0:00); a float named `..._seconds` is the same, rounded. Intervals are half-open. Arrays are read-only.

Each name is loaded when it is first used, so that programs without arrays need no numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.types.embeddings import FrameEmbeddings, Share, seen_before_next
    from pipeline.types.labels import LabelIntervals, SegmentLabels
    from pipeline.types.moments import Moment, Provenance
    from pipeline.types.records import FailedSource, Scalar, Source, Status, VideoRecord, VideoReport, name_problem
    from pipeline.types.segments import IndexedSegment, Segment
    from pipeline.types.video import Frame, Grid, Skip, VideoInfo

__all__ = [
    "FailedSource",
    "Frame",
    "FrameEmbeddings",
    "Grid",
    "IndexedSegment",
    "LabelIntervals",
    "Moment",
    "Provenance",
    "Scalar",
    "Segment",
    "SegmentLabels",
    "Share",
    "Skip",
    "Source",
    "Status",
    "VideoInfo",
    "VideoRecord",
    "VideoReport",
    "name_problem",
    "seen_before_next",
]

_HOMES = {
    **dict.fromkeys(("FrameEmbeddings", "Share", "seen_before_next"), "embeddings"),
    **dict.fromkeys(("LabelIntervals", "SegmentLabels"), "labels"),
    **dict.fromkeys(("Moment", "Provenance"), "moments"),
    **dict.fromkeys(
        ("FailedSource", "Scalar", "Source", "Status", "VideoRecord", "VideoReport", "name_problem"), "records"
    ),
    **dict.fromkeys(("IndexedSegment", "Segment"), "segments"),
    **dict.fromkeys(("Frame", "Grid", "Skip", "VideoInfo"), "video"),
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
