"""Selection of the videos to search from their records, with the reason for each that is skipped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.errors import StoreError
from pipeline.index.protocol import Filter
from pipeline.search.answer import Skipped
from pipeline.search.filters.metadata import check_names, has_metadata, metadata_hint
from pipeline.search.filters.recording_time import RecordingTimes, date_problem, recording_begins
from pipeline.search.query import Query
from pipeline.types import Scalar, VideoRecord

__all__ = ["Selection", "Survey", "described_filters", "select", "skipped_of"]

Survey = Callable[[], tuple[Sequence[VideoRecord], Mapping[str, StoreError]]]
"""The records of all videos, ordered by id; and, by id, why those of others cannot be read."""


@dataclass(frozen=True)
class Selection:
    """The videos to search.

    Attributes:
        records: Those videos, ordered by id.
        skipped: Videos that pass the question's other filters, and whose recording time or length rules an answer out,
            or whose records cannot be read.
        hint: Why no video passes the filter of metadata, for people; empty where one does.
    """

    records: tuple[VideoRecord, ...]
    skipped: tuple[Skipped, ...]
    hint: str = ""

    @property
    def video_ids(self) -> tuple[str, ...]:
        """The ids of the videos."""
        return tuple(record.video_id for record in self.records)


def select(query: Query, video_ids: Sequence[str], recorded_at: str, survey: Survey) -> Selection:
    """Select the videos of a library that can answer a question.

    Args:
        query: The question.
        video_ids: Only these videos; empty for all.
        recorded_at: The entry of metadata that says when a video begins.
        survey: Lists the library's videos.

    Raises:
        QueryError: The question names metadata that no video has.
        StoreError: The library cannot be listed.
    """
    records, broken = survey()
    named = [record for record in records if not video_ids or record.video_id in set(video_ids)]
    passing = [record for record in named if has_metadata(record, query.where)]
    hint = ""
    if not passing and query.where and records:
        check_names(records, query.where)
        hint = metadata_hint(records, query.where)
    times = query.recording_times
    kept, skipped = [], []
    for record in passing:
        why = skipped_of(record, query, times, recorded_at)
        if why is None:
            kept.append(record)
        else:
            skipped.append(why)
    skipped += [
        Skipped(video_id, video_id, str(error), is_broken=True)
        for video_id, error in broken.items()
        if not video_ids or video_id in video_ids
    ]
    return Selection(tuple(kept), tuple(skipped), hint)


def skipped_of(record: VideoRecord, query: Query, times: RecordingTimes | None, recorded_at: str) -> Skipped | None:
    """Explain from a video's record why none of its frames can be an answer; None where one can.

    Args:
        record: Of the video.
        query: The question.
        times: The recording times that it allows.
        recorded_at: The entry of metadata that says when a video begins.
    """
    if query.after is not None and record.duration_seconds < query.after:
        why = f"it ends at {record.duration_seconds:.3f} s, before {query.after:g} s"
        return Skipped(record.video_id, record.last_name, why)
    if times is None:
        return None
    begins = recording_begins(record.metadata, recorded_at)
    if begins is None or (times.needs_zone and begins.tzinfo is None):
        why = _without_date(record.metadata.get(recorded_at), recorded_at)
        return Skipped(record.video_id, record.last_name, why, has_no_date=True)
    if times.meets(begins, record.duration_seconds):
        return None
    day = "%Y-%m-%d " if times.has_dates else ""
    why = f"its {record.duration_seconds:.0f} s were recorded from {begins:{day}%H:%M:%S} on"
    return Skipped(record.video_id, record.last_name, why)


def _without_date(said: Scalar | None, name: str) -> str:
    if said is None:
        return f"its metadata does not say when it was recorded, as {name} with 2026-11-20T08:30 (search.recorded_at)"
    problem = date_problem(said) or f"{said!r} names no zone, and the question does; ask without a zone"
    return f"its metadata {name}: {problem}"


def described_filters(query: Query, where: Filter) -> str:
    """Describe the filters of a question; empty where there are none.

    Args:
        query: The question.
        where: The videos and the metadata that it names.
    """
    times = query.recording_times
    said = [f"video {video_id}" for video_id in where.video_ids]
    said += [f"{name} = {value!r}" for name, value in where.metadata.items()]
    if query.after is not None:
        said.append(f"from {query.after:g} s of each video on")
    if query.before is not None:
        said.append(f"before {query.before:g} s of each video")
    if query.time_of_day is not None:
        said.append(f"time of day {query.time_of_day}")
    if times is not None and times.begins is not None:
        said.append(f"recorded from {times.begins.isoformat(' ')} on")
    if times is not None and times.ends is not None:
        said.append(f"recorded before {times.ends.isoformat(' ')}")
    if query.at_least > 1:
        said.append(f"at least {query.at_least} such moments in a video")
    return "; ".join(said)
