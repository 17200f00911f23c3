"""Label tracks: the scores of a video's sampled frames, and the intervals in which each label is shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.analyze.frame_intervals import FrameIntervals
from pipeline.analyze.scored_intervals import ScoredInterval, scored_intervals
from pipeline.types import FrameEmbeddings, VideoRecord

__all__ = [
    "LabelInterval",
    "LabelTrack",
    "SampledFrames",
    "TrackedLabel",
    "VideoLabels",
    "label_tracks",
    "probabilities",
    "rounded_log_odds",
]

Floats = npt.NDArray[np.float64]
Scores = npt.NDArray[np.float32]
LogOdds = npt.NDArray[np.float16]


class TrackedLabel(Protocol):
    """The settings of a label that determine its track; see `label.Label`."""

    @property
    def name(self) -> str:
        """The label's name."""

    @property
    def enter(self) -> float:
        """Minimum score of at least one frame of an interval."""

    @property
    def exit(self) -> float | None:
        """Score below which an interval ends; None for `enter`."""

    @property
    def min_seconds(self) -> float:
        """Minimum length of an interval."""

    @property
    def merge_gap_seconds(self) -> float:
        """Maximum gap to close."""

    @property
    def aggregate(self) -> str:
        """Aggregation of the scores of an interval's frames to its confidence: "max", "mean" or "share"."""


@dataclass(frozen=True)
class LabelInterval:
    """An interval of a video in which a label is shown.

    Attributes:
        start_seconds: First second.
        end_seconds: First second after it.
        peak_seconds: Time of the frame with the highest score.
        confidence: Aggregate of the frames' scores, 0 to 1.
    """

    start_seconds: float
    end_seconds: float
    peak_seconds: float
    confidence: float

    @property
    def duration_seconds(self) -> float:
        """Length of the interval."""
        return self.end_seconds - self.start_seconds


@dataclass(frozen=True)
class LabelTrack:
    """The intervals of one label in one video, in order and without overlap."""

    label: str
    intervals: tuple[LabelInterval, ...]

    @property
    def duration_seconds(self) -> float:
        """Time in which the label is shown."""
        return math.fsum(interval.duration_seconds for interval in self.intervals)


@dataclass(frozen=True)
class SampledFrames:
    """The identity of a video's labelled frames: labels of other frames are out of date.

    Attributes:
        sampling_fingerprint: Fingerprint of their sampling.
        frame_count: Number of frames.
        duration_seconds: Length of the video, as far as it could be decoded.
    """

    sampling_fingerprint: str
    frame_count: int
    duration_seconds: float

    @classmethod
    def of(cls, record: VideoRecord, sampling_fingerprint: str) -> SampledFrames:
        """Return the identity of a video's stored frames by its record."""
        return cls(sampling_fingerprint, record.frame_count, record.duration_seconds)

    @classmethod
    def in_embeddings(cls, frames: FrameEmbeddings, sampling_fingerprint: str) -> SampledFrames:
        """Return the identity of the frames of embeddings."""
        return cls(sampling_fingerprint, len(frames), frames.duration_seconds)


@dataclass(frozen=True, eq=False)
class VideoLabels:
    """The labels of one video: scores and tracks.

    Attributes:
        video_id: The video's id.
        labels: Names of the L scored labels, in the order of the label set.
        frames: The intervals of the N sampled frames.
        log_odds: float16 (N, L), log-odds of each frame and label.
        tracks: The tracks of the labels that have tracks, in the order of the label set; empty for a label never shown.
        sampled: Identity of the frames.
        scorer_fingerprint: Identity of the snapshot of the label scorer.

    Raises:
        ValueError: The shapes do not match, or a track has a label that is not in `labels`.
    """

    video_id: str
    labels: tuple[str, ...]
    frames: FrameIntervals
    log_odds: LogOdds
    tracks: tuple[LabelTrack, ...]
    sampled: SampledFrames
    scorer_fingerprint: str

    def __post_init__(self) -> None:
        if self.log_odds.dtype != np.float16 or self.log_odds.shape != (len(self.frames), len(self.labels)):
            raise ValueError(
                f"{self.video_id}: scores of {self.log_odds.dtype} {self.log_odds.shape} of {len(self.frames)} frames"
                f" and {len(self.labels)} labels"
            )
        unknown = [track.label for track in self.tracks if track.label not in self.labels]
        if unknown:
            raise ValueError(f"{self.video_id}: a track of {unknown[0]!r}, which has no scores")

    @property
    def times_seconds(self) -> Floats:
        """Times of the sampled frames, float64 (N,)."""
        return self.frames.times_seconds

    @property
    def scores(self) -> Scores:
        """Probabilities that the frames show the labels, float32 (N, L)."""
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(-self.log_odds.astype(np.float32))), np.float32)

    def scores_of(self, label: str) -> Floats:
        """Return the probabilities that the frames show one label: float64 (N,).

        Raises:
            ValueError: There is no such label.
        """
        return probabilities(self.log_odds[:, self.labels.index(label)])


def probabilities(log_odds: LogOdds) -> Floats:
    """Convert float16 log-odds to float64 probabilities of the same shape."""
    with np.errstate(over="ignore"):
        found: Floats = 1 / (1 + np.exp(-log_odds.astype(np.float64)))
    return found


def rounded_log_odds(log_odds: Floats) -> LogOdds:
    """Round log-odds to float16, as they are stored: within 0.0005 of the probability."""
    with np.errstate(over="ignore"):
        return log_odds.astype(np.float16)


def label_tracks(
    frames: FrameIntervals, log_odds: LogOdds, labels: Sequence[str], tracked: Sequence[TrackedLabel]
) -> tuple[LabelTrack, ...]:
    """Find the intervals in which labels are shown, with each label's own hysteresis, minimum length and gap.

    They are computed from the rounded log-odds, so that stored log-odds give the same intervals.

    Args:
        frames: The intervals of the video's N sampled frames.
        log_odds: float16 (N, L), rounded log-odds.
        labels: Names of the L columns.
        tracked: The labels that have tracks.

    Raises:
        ValueError: A label has no column, or its `exit` is greater than its `enter`.
    """
    columns = [labels.index(label.name) for label in tracked]
    if not len(frames):
        return tuple(LabelTrack(label.name, ()) for label in tracked)
    most = probabilities(log_odds.max(axis=0))
    # Most labels are shown in few videos.
    shown = [column for label, column in zip(tracked, columns, strict=True) if most[column] >= label.enter]
    scores = dict(zip(shown, probabilities(np.ascontiguousarray(log_odds[:, shown].T)), strict=True))
    return tuple(
        LabelTrack(label.name, _intervals(frames, scores[column], label) if column in scores else ())
        for label, column in zip(tracked, columns, strict=True)
    )


def _intervals(frames: FrameIntervals, scores: Floats, label: TrackedLabel) -> tuple[LabelInterval, ...]:
    intervals = scored_intervals(
        frames,
        scores,
        enter=label.enter,
        exit=label.exit,
        min_seconds=label.min_seconds,
        merge_gap_seconds=label.merge_gap_seconds,
    )
    return tuple(
        LabelInterval(one.start_seconds, one.end_seconds, one.peak_seconds, _confidence(frames, scores, one, label))
        for one in intervals
    )


def _confidence(frames: FrameIntervals, scores: Floats, interval: ScoredInterval, label: TrackedLabel) -> float:
    """Compute an interval's confidence; the mean and the share weight each frame by the time that it represents."""
    if label.aggregate == "max":
        return interval.peak_score
    rows = slice(interval.first, interval.after)
    weights = frames.ends_seconds[rows] - frames.starts_seconds[rows]
    values = scores[rows] if label.aggregate == "mean" else scores[rows] >= label.enter
    return min(1.0, float(values @ weights) / float(weights.sum()))
