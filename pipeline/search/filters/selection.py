"""Selection of the videos to search, by their records, with a reason for each skipped video."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.errors import StoreError
from pipeline.index.protocol import Filter
from pipeline.search.answer import Skipped
from pipeline.search.filters.labels import LabelCondition
from pipeline.search.filters.metadata import check_names, has_metadata, metadata_hint
from pipeline.search.filters.recording_time import RecordingTimes, date_problem, recording_begins
from pipeline.search.query import Query
from pipeline.types import Scalar, VideoRecord

__all__ = ["Selection", "Survey", "described_filters", "filter_parts", "select", "skipped_of"]

Survey = Callable[[], tuple[Sequence[VideoRecord], Mapping[str, StoreError]]]
"""Returns the readable records of all videos, ordered by id, and the errors of unreadable records, by id."""


@dataclass(frozen=True)
class Selection:
    """The videos to search.

    Attributes:
        records: Their records, ordered by id.
        skipped: Videos that pass the filters by name and metadata, but whose recording time or length rules out an
            answer; and videos whose records cannot be read.
        hint: Readable reason why no video passes the metadata filter; empty if one does.
    """

    records: tuple[VideoRecord, ...]
    skipped: tuple[Skipped, ...]
    hint: str = ""

    @property
    def video_ids(self) -> tuple[str, ...]:
        """The ids of these videos."""
        return tuple(record.video_id for record in self.records)


def select(query: Query, video_ids: Sequence[str], recorded_at: str, survey: Survey) -> Selection:
    """Select the videos of a library that may contain an answer to a question.

    Args:
        query: The question.
        video_ids: Only these videos; empty for all.
        recorded_at: Name of the metadata entry with the start of the recording.
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
    selected, skipped = [], []
    for record in passing:
        skip = skipped_of(record, query, times, recorded_at)
        if skip is None:
            selected.append(record)
        else:
            skipped.append(skip)
    skipped += [
        Skipped(video_id, video_id, str(error), is_broken=True)
        for video_id, error in broken.items()
        if not video_ids or video_id in video_ids
    ]
    return Selection(tuple(selected), tuple(skipped), hint)


def filter_parts(
    where: Filter, selection: Selection | None, labels: LabelCondition | None, most_ids: int
) -> list[Filter]:
    """Split the filter of a question, so that each video that may answer passes exactly one part.

    Args:
        where: The filter by video, metadata and labels.
        selection: The videos to search, where recording times decide; None for all that pass.
        labels: The question's condition on labels; None for none.
        most_ids: Most videos that one part may name.
    """
    ids: Sequence[str] | None = where.video_ids or None
    if selection is not None and selection.skipped:
        ids = selection.video_ids
    if labels is not None:
        ids = labels.labelled_among(ids)
    # A filter that names no video lets all pass, so where none is left there is nothing to ask for.
    if ids is None or (ids and tuple(ids) == where.video_ids):
        return [where]
    starts = range(0, len(ids), most_ids)
    return [replace(where, video_ids=tuple(ids[first : first + most_ids])) for first in starts]


def skipped_of(record: VideoRecord, query: Query, times: RecordingTimes | None, recorded_at: str) -> Skipped | None:
    """Explain from a video's record why none of its frames can answer; None if a frame may.

    Args:
        record: The video's record.
        query: The question.
        times: The recording times that the question allows.
        recorded_at: Name of the metadata entry with the start of the recording.
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


def _without_date(value: Scalar | None, name: str) -> str:
    if value is None:
        return f"its metadata has no recording time, such as {name}: 2026-11-20T08:30 (search.recorded_at)"
    problem = date_problem(value) or f"{value!r} has no time zone, but the question does; ask without a zone"
    return f"its metadata {name}: {problem}"


def described_filters(query: Query, where: Filter, labels: str = "") -> str:
    """Describe the filters of a question; empty if there are none.

    Args:
        query: The question.
        where: The question's filter by video and metadata.
        labels: The question's condition on labels, described.
    """
    times = query.recording_times
    filters = [f"video {video_id}" for video_id in where.video_ids]
    filters += [f"{name} = {value!r}" for name, value in where.metadata.items()]
    filters += [labels] if labels else []
    if query.after is not None:
        filters.append(f"from {query.after:g} s of each video on")
    if query.before is not None:
        filters.append(f"before {query.before:g} s of each video")
    if query.time_of_day is not None:
        filters.append(f"time of day {query.time_of_day}")
    if times is not None and times.begins is not None:
        filters.append(f"recorded from {times.begins.isoformat(' ')} on")
    if times is not None and times.ends is not None:
        filters.append(f"recorded before {times.ends.isoformat(' ')}")
    if query.at_least > 1:
        filters.append(f"at least {query.at_least} such moments in a video")
    return "; ".join(filters)
