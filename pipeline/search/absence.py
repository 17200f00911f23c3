"""Absence search: intervals of video in which no sampled frame answers a question.

A frame answers where its score reaches the least score of the question, and so do the weaker ones of a moment around it
(`pipeline.search.localization`): no absence overlaps what a search with the same least score shows. Between sampled
frames nothing is known, so an absence reaches from sampled frame to sampled frame: it spans the time between two
that follow each other as usual for the video, and stops at both sides of a hole, which is longer than twice the usual
(a damaged part, or the inside of a shot of which one frame was sampled). Towards a frame that answers it ends at the
cut between, or midway, as moments do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pipeline.errors import QueryError, StoreError
from pipeline.search.answer import Absence, Skipped
from pipeline.search.calibration import probability
from pipeline.search.embedding_cache import EmbeddingCache
from pipeline.search.filters.recording_time import recorded_at, recording_begins
from pipeline.search.filters.selection import Selection
from pipeline.search.localization import Curve, Levels, boundary, grown_spans, peak_rows
from pipeline.search.query import Query
from pipeline.search.scoring import CalibratedStep, curve_of, levels_of
from pipeline.search.settings import Searching
from pipeline.types import FrameEmbeddings, Provenance, VideoRecord

__all__ = ["Absences", "find_absences", "refuse_unknown_words"]

# Of the usual time between sampled frames: points of a grid are met within one step.
_HOLE_RATIO = 2.0
_ROUNDING = 1e-6
# A frame that falls short by the last digit alone is no absence.
_ROUNDING_OF_SCORES = 1e-12

Interval = tuple[float, float]


@dataclass(frozen=True)
class Absences:
    """The result of an absence search.

    Attributes:
        found: Absences; those of videos without any answer first, then by URI, id and start.
        skipped: Videos that could not be searched.
        videos: Number of videos that were searched.
        videos_without: Number of these in which nothing answers.
    """

    found: tuple[Absence, ...]
    skipped: tuple[Skipped, ...]
    videos: int
    videos_without: int


@dataclass(frozen=True)
class _AbsentSpan:
    """Rows [first, after) of a curve without a hole between, and the seconds [start, end) that they stand for."""

    first: int
    after: int
    start_seconds: float
    end_seconds: float


def refuse_unknown_words(step: CalibratedStep) -> None:
    """Refuse a question with words that the model does not know, since it would find them nowhere.

    Raises:
        QueryError: There is such a word.
    """
    terms = (*step.shows, *step.without)
    words = list(dict.fromkeys(word for term in terms for word in term.unknown_words))
    if words:
        raise QueryError(
            f"the model does not know: {', '.join(words)}; it finds such words nowhere, so nothing can be said of where"
            " they are not: say it in other words"
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
) -> Absences:
    """Find the intervals of the selected videos in which no frame answers.

    Args:
        query: The question.
        step: Its only step, embedded and calibrated.
        selection: The videos that it is about.
        embeddings: Their frame embeddings.
        min_score: The score from which on a frame answers.
        settings: How frames become moments.
        provenance: Of what the library holds.
    """
    found: list[Absence] = []
    skipped = list(selection.skipped)
    videos = without = 0
    for record in selection.records:
        begins = recording_begins(record.metadata, settings.recorded_at)
        try:
            seen = _VideoAbsences(embeddings.read(record), step, query, begins, min_score=min_score, settings=settings)
        except StoreError as error:
            skipped.append(Skipped(record.video_id, record.last_name, str(error), is_broken=True))
            continue
        if not seen.has_frames:
            why = "no frame was sampled in the part of it that the question is about"
            skipped.append(Skipped(record.video_id, record.last_name, why))
            continue
        videos += 1
        without += seen.is_without
        found += seen.absences(record, provenance)
    found.sort(key=lambda one: (not one.is_whole, one.uri, one.video_id, one.start_seconds))
    return Absences(tuple(found), tuple(skipped), videos, without)


class _VideoAbsences:
    """The absences of one video: which of its frames answer, and the intervals between them.

    Attributes:
        has_frames: Whether a frame was sampled in what the question allows.
        is_without: Whether none of these answers.
    """

    def __init__(
        self,
        frames: FrameEmbeddings,
        step: CalibratedStep,
        query: Query,
        begins: datetime | None,
        *,
        min_score: float,
        settings: Searching,
    ) -> None:
        self._curve = curve_of(frames, step)
        self._begins = begins
        self._parts = _allowed(query, begins, self._curve.end_seconds)
        with np.errstate(over="ignore"):
            reaches = 1 / (1 + np.exp(-self._curve.scores)) >= min_score - _ROUNDING_OF_SCORES
        self._answers = reaches | _in_moments(self._curve, reaches, levels_of(step, self._curve, settings))
        self._most_seconds = _HOLE_RATIO * _usual_seconds(self._curve, frames.step_seconds) + _ROUNDING
        self._spans = list(_spans(self._curve, self._most_seconds))
        rows = [row for part in self._parts for row in range(*self._curve.rows(*part))]
        self.has_frames = bool(rows)
        self.is_without = bool(rows) and not bool(self._answers[rows].any())

    def absences(self, record: VideoRecord, provenance: Provenance | None) -> list[Absence]:
        """The absences, in order."""
        unsampled = self._unsampled_seconds()
        found = []
        for start, end, uncertain in self._stretches():
            for part in self._parts:
                since, until = max(start, part[0]), min(end, part[1])
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
                        start_uncertainty_seconds=uncertain[0] if since == start else 0.0,
                        end_uncertainty_seconds=uncertain[1] if until == end else 0.0,
                        recorded_at=recorded_at(self._begins, since),
                        is_gone=not record.names,
                        provenance=provenance,
                    )
                )
        return found

    def _stretches(self) -> Iterator[tuple[float, float, tuple[float, float]]]:
        """Start, end and their uncertainties of each run of frames that do not answer."""
        for span in self._spans:
            row = span.first
            while row < span.after:
                if self._answers[row]:
                    row += 1
                    continue
                first = row
                while row < span.after and not self._answers[row]:
                    row += 1
                start = boundary(self._curve, first) if first > span.first else (span.start_seconds, 0.0)
                end = boundary(self._curve, row) if row < span.after else (span.end_seconds, 0.0)
                if start[0] < end[0]:
                    yield start[0], end[0], (start[1], end[1])

    def _largest_gap(self, first: int, after: int, since: float, until: float) -> float:
        times = np.concatenate([[since], self._curve.times_seconds[first:after], [until]])
        return float(np.diff(times).max())

    def _unsampled_seconds(self) -> float:
        """Seconds of what the question allows that no sampled frame stands for."""
        allowed = sum(end - start for start, end in self._parts)
        sampled = sum(
            max(0.0, min(end, span.end_seconds) - max(start, span.start_seconds))
            for start, end in self._parts
            for span in self._spans
        )
        return max(0.0, allowed - sampled)


def _in_moments(curve: Curve, reaches: npt.NDArray[np.bool_], levels: Levels) -> npt.NDArray[np.bool_]:
    """Which rows are in a moment around one that reaches the score."""
    inside = np.zeros(len(reaches), np.bool_)
    if reaches.any():
        peaks = peak_rows(curve, float(curve.scores[reaches].min()))
        for span in grown_spans(peaks, curve, levels):
            inside[slice(*curve.rows(span.start_seconds, span.end_seconds))] = True
    return inside


def _allowed(query: Query, begins: datetime | None, end_seconds: float) -> list[Interval]:
    """The parts of a video, [start, end) in seconds, that a question is about, in order."""
    first = query.after or 0.0
    last = end_seconds if query.before is None else min(end_seconds, query.before)
    times = query.recording_times
    parts = [(0.0, end_seconds)]
    if times is not None:
        parts = [] if begins is None else times.intervals(begins, end_seconds)
    clipped = [(max(first, start), min(last, end)) for start, end in parts]
    return [(start, end) for start, end in clipped if start < end]


def _usual_seconds(curve: Curve, step_seconds: float | None) -> float:
    """The usual time from one sampled frame to the next; 0 where there is one frame and no step is known."""
    if step_seconds is not None:
        return step_seconds
    gaps = np.diff(curve.times_seconds)
    return float(np.median(gaps)) if len(gaps) else 0.0


def _spans(curve: Curve, most_seconds: float) -> Iterator[_AbsentSpan]:
    """Runs of frames without a hole between them; towards the video's ends, too, they stand for no more than that."""
    times = curve.times_seconds
    if not len(times):
        return
    holes: npt.NDArray[np.intp] = np.flatnonzero(np.diff(times) > most_seconds) + 1
    edges: Sequence[int] = [0, *holes.tolist(), len(times)]
    for first, after in pairwise(edges):
        start, end = float(times[first]), float(times[after - 1])
        if first == 0 and start <= most_seconds:
            start = 0.0
        if after == len(times) and curve.end_seconds - end <= most_seconds:
            end = curve.end_seconds
        yield _AbsentSpan(first, after, start, end)
