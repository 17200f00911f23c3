"""Build a video's record and report after it was processed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pipeline.execution.per_video.messages import VideoEnd
from pipeline.types import FrameEmbeddings, Scalar, Source, Status, VideoRecord, VideoReport
from pipeline.uris import public_name

__all__ = ["ALREADY_INDEXED", "duplicate_report", "largest_gap_seconds", "record_of", "report_as_before", "report_of"]

ALREADY_INDEXED = "already indexed"
"""The first words of the problem of a video that an earlier batch has indexed."""


def largest_gap_seconds(frames: FrameEmbeddings) -> float:
    """Return the length of the longest part of a video that no sampled frame represents, in seconds."""
    until = frames.times_seconds if frames.seen_until_seconds is None else frames.seen_until_seconds
    starts = np.concatenate([[0.0], until])
    ends = np.concatenate([frames.times_seconds, [frames.duration_seconds]])
    return float(max(0.0, (ends - starts).max()))


def record_of(names: tuple[str, ...], source: Source, frames: FrameEmbeddings, end: VideoEnd) -> VideoRecord:
    """Build a video's record, which is stored together with its embeddings."""
    return VideoRecord(
        video_id=frames.video_id,
        names=names,
        status=Status.PARTIAL if end.damage else Status.DONE,
        info=end.info,
        duration_seconds=end.duration_seconds,
        covered_seconds=end.covered_seconds,
        frame_count=len(frames),
        problem=_damage(end) if end.damage else None,
        metadata=source.metadata,
    )


def report_of(
    source: Source,
    record: VideoRecord,
    frames: FrameEmbeddings,
    *,
    end: VideoEnd | None,
    segments: int,
    elapsed_seconds: float,
    replaced: tuple[str, ...] = (),
) -> VideoReport:
    """Build a video's report; `end` is None if it was not decoded this time."""
    return VideoReport(
        source=source,
        status=record.status,
        problem=record.problem,
        video_id=record.video_id,
        duration_seconds=record.duration_seconds,
        covered_seconds=record.covered_seconds,
        frames_decoded=0 if end is None else end.frames_decoded,
        frames_seen=0 if end is None else end.frames_seen,
        frames_sampled=len(frames),
        largest_gap_seconds=largest_gap_seconds(frames),
        segments=segments,
        elapsed_seconds=elapsed_seconds,
        replaced=replaced,
    )


def report_as_before(first: Source, record: VideoRecord) -> VideoReport:
    """Rebuild the report of the first source of a video in this batch, as far as the video's record allows."""
    return VideoReport(
        source=first,
        status=Status.DONE,
        video_id=record.video_id,
        duration_seconds=record.duration_seconds,
        covered_seconds=record.covered_seconds,
        frames_sampled=record.frame_count,
    )


def duplicate_report(duplicate: Source, first: VideoReport, metadata: Mapping[str, Scalar]) -> VideoReport:
    """Build the report of a source that duplicates a finished one; its work is not counted again.

    Args:
        duplicate: The duplicate source.
        first: The report of the other source.
        metadata: The stored metadata of the video.
    """
    is_same_name = duplicate.uri == first.source.uri
    same = "named twice in this batch" if is_same_name else f"same content as {public_name(first.source.uri)!r}"
    if duplicate.metadata and dict(duplicate.metadata) != dict(metadata):
        same += "; the metadata given first is used"
    if first.status is Status.FAILED:
        return replace(first, source=duplicate, problem=f"{same}, which failed: {first.problem}", elapsed_seconds=0.0)
    return replace(
        first,
        source=duplicate,
        status=Status.SKIPPED,
        problem=same,
        frames_decoded=0,
        frames_seen=0,
        segments=0,
        elapsed_seconds=0.0,
    )


def _damage(end: VideoEnd) -> str:
    shown = "; ".join(end.damage[:3])
    more = f"; and {len(end.damage) - 3} more" if len(end.damage) > 3 else ""
    covered, whole = f"{end.covered_seconds:.3f} s", f"{end.duration_seconds:.3f} s"
    # If only the end of the file is damaged, nothing is missing up to the last frame, and `shown` says the rest.
    return f"{covered if covered == whole else f'{covered} of {whole}'} could be decoded: {shown}{more}"
