"""Absence search: intervals of video in which no sampled frame answers a question.

A frame answers the question if its score reaches the minimum score. The weaker frames of the moment around it
(`pipeline.search.localization`) count as answering, too, so no absence overlaps a moment that a search with the same
minimum score returns.

Nothing is known between sampled frames. An absence therefore extends from one sampled frame to the next as long as the
gap between them is normal for the video. It stops at both sides of a gap of more than twice the normal length: a
damaged part, or the inside of a shot of which one frame was sampled. Next to a frame that answers, an absence ends as
moments do: at the cut between the two frames, or midway if there is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pipeline.errors import QueryError, StoreError
from pipeline.search.allowed_frames import curve_within
from pipeline.search.answer import Absence, Skipped
from pipeline.search.calibration import probability
from pipeline.search.embedding_cache import EmbeddingCache
from pipeline.search.filters.labels import LabelCondition, common_intervals
from pipeline.search.filters.recording_time import recorded_at, recording_begins
from pipeline.search.filters.selection import Selection
from pipeline.search.localization import Curve, Levels, boundary, grown_spans, peak_rows
from pipeline.search.query import Query
from pipeline.search.scoring import CalibratedStep, curve_of, levels_of
from pipeline.search.settings import Searching
from pipeline.segment.intervals import usual_step_seconds
from pipeline.types import FrameEmbeddings, Provenance, VideoRecord

__all__ = ["Absences", "find_absences", "refuse_unknown_words"]

# A gap longer than this many times the normal one is a hole. A sampler on a grid may be late by up to one step.
_HOLE_RATIO = 2.0
_TIME_TOLERANCE_SECONDS = 1e-6
# A score that falls short only by rounding still counts as an answer.
_SCORE_TOLERANCE = 1e-12

Interval = tuple[float, float]


@dataclass(frozen=True)
class Absences:
    """The result of an absence search.

    Attributes:
        found: The absences: first those of videos without any answer, then by URI, id and start.
        skipped: Videos that could not be searched.
        videos: Number of videos searched.
        videos_without: Number of these videos in which no frame answers.
    """

    found: tuple[Absence, ...]
    skipped: tuple[Skipped, ...]
    videos: int
    videos_without: int


@dataclass(frozen=True)
class _SampledRun:
    """Rows [first, after) of a curve with no hole between them, and the seconds [start, end) that they cover."""

    first: int
    after: int
    start_seconds: float
    end_seconds: float


def refuse_unknown_words(step: CalibratedStep) -> None:
    """Reject a question that contains words unknown to the model, since such words match no frame at all.

    Raises:
        QueryError: The question contains such a word.
    """
    terms = (*step.shows, *step.without)
    words = list(dict.fromkeys(word for term in terms for word in term.unknown_words))
    if words:
        raise QueryError(
            f"the model does not know: {', '.join(words)}; unknown words match no frame, so their absence cannot be"
            " established: rephrase the question in other words"
        )


def find_absences(
    query: Query,
    step: CalibratedStep,
    selection: Selection,
    embeddings: EmbeddingCache,
    *,
    min_score: float,
    settings: Searching,
    provenance: Provenance | None,
    labels: LabelCondition | None = None,
) -> Absences:
    """Find the intervals of the selected videos in which no frame answers.

    Args:
        query: The question.
        step: The question's only step, embedded and calibrated.
        selection: The videos to search.
        embeddings: Their frame embeddings.
        min_score: Lowest score at which a frame answers.
        settings: The search settings, which determine the extent of moments.
        provenance: Provenance of the library's contents, copied to each absence.
        labels: The question's condition on labels; None for none.
    """
    found: list[Absence] = []
    skipped = list(selection.skipped)
    videos = without = 0
    for record in selection.records:
        begins = recording_begins(record.metadata, settings.recorded_at)
        try:
            allowed = None if labels is None else labels.allowed(record)
            skip = None if labels is None else labels.skipped_of(record, allowed)
            if skip is not None:
                skipped.append(skip)
                continue
            part = _AllowedPart(query, begins, allowed)
            video = _VideoAbsences(embeddings.read(record), step, part, min_score=min_score, settings=settings)
        except StoreError as error:
            skipped.append(Skipped(record.video_id, record.last_name, str(error), is_broken=True))
            continue
        if not video.has_frames:
            why = "no frame was sampled in the time range of the question"
            skipped.append(Skipped(record.video_id, record.last_name, why))
            continue
        videos += 1
        without += video.is_without
        found += video.absences(record, provenance)
    found.sort(key=lambda absence: (not absence.is_whole, absence.uri, absence.video_id, absence.start_seconds))
    return Absences(tuple(found), tuple(skipped), videos, without)


@dataclass(frozen=True)
class _AllowedPart:
    """The part of a video that a question is about.

    Attributes:
        query: The question, with its time ranges.
        begins: Recording time of the start of playback; None if unknown.
        allowed: float64 (K, 2) intervals in seconds that its labels allow; None if it names no label.
    """

    query: Query
    begins: datetime | None
    allowed: npt.NDArray[np.float64] | None

    def intervals(self, end_seconds: float) -> list[Interval]:
        """Return the intervals [start, end) of the video, in seconds and in order."""
        by_time = _allowed_intervals(self.query, self.begins, end_seconds)
        if self.allowed is None:
            return by_time
        both = common_intervals(np.asarray(by_time, np.float64).reshape(-1, 2), self.allowed)
        return [(start, end) for start, end in both.tolist()]


class _VideoAbsences:
    """Finds the absences of one video: the intervals between the frames that answer.

    Attributes:
        has_frames: Whether any frame was sampled in the time ranges that the question allows.
        is_without: Whether none of these frames answers.
    """

    def __init__(
        self,
        frames: FrameEmbeddings,
        step: CalibratedStep,
        part: _AllowedPart,
        *,
        min_score: float,
        settings: Searching,
    ) -> None:
        self._curve = curve_of(frames, step)
        levels = levels_of(step, self._curve, settings)
        if part.allowed is not None:
            self._curve = curve_within(self._curve, part.allowed)
        self._begins = part.begins
        self._allowed = part.intervals(self._curve.end_seconds)
        with np.errstate(over="ignore"):
            reaches = 1 / (1 + np.exp(-self._curve.scores)) >= min_score - _SCORE_TOLERANCE
        self._answers = reaches | _in_moments(self._curve, reaches, levels)
        max_gap_seconds = (
            _HOLE_RATIO * usual_step_seconds(self._curve.times_seconds, frames.step_seconds) + _TIME_TOLERANCE_SECONDS
        )
        self._runs = list(_sampled_runs(self._curve, max_gap_seconds))
        rows = [row for interval in self._allowed for row in range(*self._curve.rows(*interval))]
        self.has_frames = bool(rows)
        self.is_without = bool(rows) and not bool(self._answers[rows].any())

    def absences(self, record: VideoRecord, provenance: Provenance | None) -> list[Absence]:
        """Return the absences in order of time."""
        unsampled = self._unsampled_seconds()
        found = []
        for start, end, uncertainties in self._unanswered_intervals():
            for allowed in self._allowed:
                since, until = max(start, allowed[0]), min(end, allowed[1])
                first, after = self._curve.rows(since, until)
                if first >= after:
                    continue
                best = first + int(self._curve.scores[first:after].argmax())
                found.append(
                    Absence(
                        video_id=record.video_id,
                        uri=record.last_name,
                        start_seconds=since,
                        end_seconds=until,
                        is_whole=self.is_without,
                        frames=after - first,
                        largest_gap_seconds=self._largest_gap(first, after, since, until),
                        unsampled_seconds=unsampled,
                        nearest_seconds=float(self._curve.times_seconds[best]),
                        nearest_score=probability(float(self._curve.scores[best])),
                        start_uncertainty_seconds=uncertainties[0] if since == start else 0.0,
                        end_uncertainty_seconds=uncertainties[1] if until == end else 0.0,
                        recorded_at=recorded_at(self._begins, since),
                        is_gone=not record.names,
                        provenance=provenance,
                    )
                )
        return found

    def _unanswered_intervals(self) -> Iterator[tuple[float, float, tuple[float, float]]]:
        """Yield start, end and both uncertainties of each series of frames that do not answer."""
        for run in self._runs:
            row = run.first
            while row < run.after:
                if self._answers[row]:
                    row += 1
                    continue
                first = row
                while row < run.after and not self._answers[row]:
                    row += 1
                start = boundary(self._curve, first) if first > run.first else (run.start_seconds, 0.0)
                end = boundary(self._curve, row) if row < run.after else (run.end_seconds, 0.0)
                if start[0] < end[0]:
                    yield start[0], end[0], (start[1], end[1])

    def _largest_gap(self, first: int, after: int, since: float, until: float) -> float:
        times = np.concatenate([[since], self._curve.times_seconds[first:after], [until]])
        return float(np.diff(times).max())

    def _unsampled_seconds(self) -> float:
        """Return how many of the seconds that the question allows are covered by no sampled frame."""
        allowed = sum(end - start for start, end in self._allowed)
        sampled = sum(
            max(0.0, min(end, run.end_seconds) - max(start, run.start_seconds))
            for start, end in self._allowed
            for run in self._runs
        )
        return max(0.0, allowed - sampled)


def _in_moments(curve: Curve, reaches: npt.NDArray[np.bool_], levels: Levels) -> npt.NDArray[np.bool_]:
    """Mark the rows that belong to a moment around a row that reaches the score."""
    inside = np.zeros(len(reaches), np.bool_)
    if reaches.any():
        peaks = peak_rows(curve, float(curve.scores[reaches].min()))
        for span in grown_spans(peaks, curve, levels):
            inside[slice(*curve.rows(span.start_seconds, span.end_seconds))] = True
    return inside


def _allowed_intervals(query: Query, begins: datetime | None, end_seconds: float) -> list[Interval]:
    """Return the intervals [start, end) of a video, in seconds and in order, that a question allows."""
    first = query.after or 0.0
    last = end_seconds if query.before is None else min(end_seconds, query.before)
    times = query.recording_times
    intervals = [(0.0, end_seconds)]
    if times is not None:
        intervals = [] if begins is None else times.intervals(begins, end_seconds)
    clipped = [(max(first, start), min(last, end)) for start, end in intervals]
    return [(start, end) for start, end in clipped if start < end]


def _sampled_runs(curve: Curve, max_gap_seconds: float) -> Iterator[_SampledRun]:
    """Split the frames at holes. The first and last runs reach the video's start and end if those are near enough."""
    times = curve.times_seconds
    if not len(times):
        return
    holes: npt.NDArray[np.intp] = np.flatnonzero(np.diff(times) > max_gap_seconds) + 1
    edges: Sequence[int] = [0, *holes.tolist(), len(times)]
    for first, after in pairwise(edges):
        start, end = float(times[first]), float(times[after - 1])
        if first == 0 and start <= max_gap_seconds:
            start = 0.0
        if after == len(times) and curve.end_seconds - end <= max_gap_seconds:
            end = curve.end_seconds
        yield _SampledRun(first, after, start, end)
