"""Label tracks: the scores of a video's sampled frames, and the intervals in which each label is shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.analyze.frame_intervals import FrameIntervals
from pipeline.analyze.intervals import ScoredInterval, scored_intervals
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
    """What a label of a label set says about its track; see `label_set.Label`."""

    @property
    def name(self) -> str:
        """The label's name."""

    @property
    def enter(self) -> float:
        """Score at which an interval begins to count."""

    @property
    def exit(self) -> float | None:
        """Score below which it ends; None for `enter`."""

    @property
    def min_seconds(self) -> float:
        """Least length of an interval."""

    @property
    def merge_gap_seconds(self) -> float:
        """Longest gap that is closed."""

    @property
    def aggregate(self) -> str:
        """How an interval's confidence is made of its frames' scores: "max", "mean" or "share"."""


@dataclass(frozen=True)
class LabelInterval:
    """An interval of a video in which a label is shown.

    Attributes:
        start_seconds: First second.
        end_seconds: First second after it.
        peak_seconds: Time of the frame with the greatest score.
        confidence: 0 to 1, the label's aggregate of the frames' scores.
    """

    start_seconds: float
    end_seconds: float
    peak_seconds: float
    confidence: float

    @property
    def duration_seconds(self) -> float:
        """Its length."""
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
    """Which frames of a video were labelled: labels of other frames are out of date.

    Attributes:
        sampling_fingerprint: Of the sampling that took them.
        frame_count: How many there are.
        duration_seconds: Of the video, as far as it could be decoded.
    """

    sampling_fingerprint: str
    frame_count: int
    duration_seconds: float

    @classmethod
    def of(cls, record: VideoRecord, sampling_fingerprint: str) -> SampledFrames:
        """Return which frames of a video a store has now, by its record."""
        return cls(sampling_fingerprint, record.frame_count, record.duration_seconds)

    @classmethod
    def in_embeddings(cls, frames: FrameEmbeddings, sampling_fingerprint: str) -> SampledFrames:
        """Return which frames these embeddings are of."""
        return cls(sampling_fingerprint, len(frames), frames.duration_seconds)


@dataclass(frozen=True, eq=False)
class VideoLabels:
    """What a label set says about one video.

    Attributes:
        video_id: The video.
        labels: Names of the labels that were scored, L of them, in the label set's order.
        frames: What each of the N sampled frames stands for.
        log_odds: float16 (N, L), of each frame and label.
        tracks: Of the labels that make tracks, in the label set's order; a label that is never shown has an empty one.
        sampled: Which frames these are.
        scorer_fingerprint: Identity of the snapshot of the label scorer.

    Raises:
        ValueError: The shapes do not fit together, or a track is of no label of `labels`.
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
            raise ValueError(f"{self.video_id}: a track of {unknown[0]!r}, which is no label of its scores")

    @property
    def times_seconds(self) -> Floats:
        """float64 (N,) times of the sampled frames."""
        return self.frames.times_seconds

    @property
    def scores(self) -> Scores:
        """float32 (N, L) probabilities that the frames show the labels."""
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
    """Find the intervals in which labels are shown, with each label's own hysteresis, least length and gap.

    They are made of the rounded log-odds, so that whoever reads these from a store finds the same intervals.

    Args:
        frames: What the video's N sampled frames stand for.
        log_odds: float16 (N, L).
        labels: Names of the L columns.
        tracked: The labels that make tracks.

    Raises:
        ValueError: One of them is in no column, or its `exit` is greater than its `enter`.
    """
    columns = [labels.index(label.name) for label in tracked]
    if not len(frames):
        return tuple(LabelTrack(label.name, ()) for label in tracked)
    most = probabilities(log_odds.max(axis=0))
    found = []
    for label, column in zip(tracked, columns, strict=True):
        # Most labels are shown in few videos.
        is_shown = most[column] >= label.enter
        found.append(LabelTrack(label.name, _intervals(frames, log_odds[:, column], label) if is_shown else ()))
    return tuple(found)


def _intervals(frames: FrameIntervals, log_odds: LogOdds, label: TrackedLabel) -> tuple[LabelInterval, ...]:
    scores = probabilities(log_odds)
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
    """An interval's confidence: the mean and the share count each frame by the time that it stands for."""
    if label.aggregate == "max":
        return interval.peak_score
    rows = slice(interval.first, interval.after)
    weights = frames.ends_seconds[rows] - frames.starts_seconds[rows]
    values = scores[rows] if label.aggregate == "mean" else scores[rows] >= label.enter
    return float(np.average(values, weights=weights))
