"""Labels of made videos, without a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.analyze.frame_intervals import FrameIntervals
from pipeline.analyze.labels.tracks import SampledFrames, VideoLabels, label_tracks, rounded_log_odds


@dataclass(frozen=True)
class Rule:
    """What a label says about its track."""

    name: str
    enter: float = 0.5
    exit: float | None = None
    min_seconds: float = 0.0
    merge_gap_seconds: float = 0.0
    aggregate: str = "max"


def seconds(count: int) -> FrameIntervals:
    """Frames of a second each."""
    starts = np.arange(count, dtype=np.float64)
    return FrameIntervals(starts, starts + 1, starts + 0.5, float(count))


def log_odds(scores: np.ndarray) -> np.ndarray:
    return rounded_log_odds(np.log(scores / (1 - scores)))


def made_labels(
    video_id: str = "v1", count: int = 6, rules: tuple[Rule, ...] = (Rule("person"), Rule("car"))
) -> VideoLabels:
    """Labels of a video in which the first label is shown in its first half, the second never; the last one scored
    only."""
    scores = np.full((count, len(rules) + 1), 0.01)
    scores[: count // 2, 0] = 0.9
    rounded = log_odds(scores)
    names = (*(rule.name for rule in rules), "rain")
    return VideoLabels(
        video_id=video_id,
        labels=names,
        frames=seconds(count),
        log_odds=rounded,
        tracks=label_tracks(seconds(count), rounded, names, rules),
        sampled=SampledFrames("s1", count, float(count)),
        scorer_fingerprint="abc",
    )
