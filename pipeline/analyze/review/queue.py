"""Review queue: the sampled frames whose scores are nearest to 0.5, spread over videos and time.

A model learns most from the frames about which it is least certain (uncertainty sampling: Lewis and Gale 1994,
doi:10.1007/978-1-4471-2099-5_1). Their neighbours and copies would add nothing, so of several frames of one video that
are close in time, or of several nearly equal pictures, only one is queued. Videos alternate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.analyze.frame_intervals import frame_intervals
from pipeline.analyze.marks.mark import Mark
from pipeline.analyze.protocol import FrameScorer
from pipeline.analyze.review.review_item import ReviewItem
from pipeline.search.calibration import probability
from pipeline.types import FrameEmbeddings

__all__ = ["QueueSettings", "review_queue"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class QueueSettings:
    """Settings of the selection and the order of queued frames.

    Attributes:
        count: Maximum number of items.
        exit: Lowest score of uncertain frames.
        enter: Highest score of uncertain frames. If there are fewer uncertain frames than `count`, the nearest above
            and below follow alternately.
        gap_seconds: Minimum time between two items of one video.
        same_picture: Cosine at which two frames count as the same picture.

    Raises:
        ValueError: A setting is out of range.
    """

    count: int = 20
    exit: float = 0.2
    enter: float = 0.8
    gap_seconds: float = 3.0
    same_picture: float = 0.99

    def __post_init__(self) -> None:
        if not 0 < self.exit <= self.enter < 1:
            raise ValueError(f"the least uncertain score is {self.exit:g} and the greatest {self.enter:g}")
        if self.count < 1 or self.gap_seconds < 0:
            raise ValueError(f"{self.count} items, {self.gap_seconds:g} s apart")


@dataclass(frozen=True)
class _QueuedFrame:
    """A sampled frame that may be queued."""

    video_id: str
    seconds: float
    log_odds: float
    vector: npt.NDArray[np.float32]


def review_queue(
    videos: Iterable[FrameEmbeddings],
    scorer: FrameScorer,
    subject: str,
    marks: Sequence[Mark],
    settings: QueueSettings,
) -> list[ReviewItem]:
    """Select the frames to review, in the order of review.

    Videos are read one after another, and only a few frames of each stay in memory.

    Args:
        videos: Frame embeddings of the videos.
        scorer: Scores frames for the subject.
        subject: The subject of the review.
        marks: Marks of the subject; frames that they touch are not queued again.
        settings: Settings of the selection.
    """
    of_video: dict[str, list[Mark]] = {}
    for mark in marks:
        if mark.subject.casefold() == subject.casefold():
            of_video.setdefault(mark.video_id, []).append(mark)
    candidates = []
    for frames in videos:
        own = of_video.get(frames.video_id, [])
        candidates += _of_video(frames, scorer.log_odds(frames.vectors), own, settings)
    chosen = _chosen(candidates, settings)
    return [
        ReviewItem(one.video_id, one.seconds, one.seconds, subject, probability(one.log_odds), _reason(one, settings))
        for one in chosen
    ]


def _reason(one: _QueuedFrame, settings: QueueSettings) -> str:
    score = probability(one.log_odds)
    if score > settings.enter:
        return "likely, and not marked yet"
    return "uncertain" if score >= settings.exit else "unlikely, and not marked yet"


def _of_video(
    frames: FrameEmbeddings, log_odds: Floats, marks: Sequence[Mark], settings: QueueSettings
) -> list[_QueuedFrame]:
    """Select the most uncertain frames of one video, no two close in time and none near a mark."""
    intervals = frame_intervals(frames)
    times = frames.times_seconds
    free = np.ones(len(times), np.bool_)
    for mark in marks:
        near = (intervals.starts_seconds <= mark.end_seconds) & (intervals.ends_seconds >= mark.start_seconds)
        close = (times >= mark.start_seconds - settings.gap_seconds) & (
            times <= mark.end_seconds + settings.gap_seconds
        )
        free &= ~(near | close)
    found: list[_QueuedFrame] = []
    for row in np.argsort(np.abs(log_odds), kind="stable"):
        if len(found) == settings.count:
            break
        if free[row]:
            found.append(
                _QueuedFrame(frames.video_id, float(times[row]), float(log_odds[row]), frames.vectors[row].copy())
            )
            free &= np.abs(times - times[row]) >= max(settings.gap_seconds, 1e-9)
    return found


def _chosen(candidates: Sequence[_QueuedFrame], settings: QueueSettings) -> list[_QueuedFrame]:
    """Select from the candidates of all videos: uncertain ones first, videos alternating, each picture once."""
    low, high = (np.log(score / (1 - score)) for score in (settings.exit, settings.enter))
    uncertain = [one for one in candidates if low <= one.log_odds <= high]
    above = sorted((one for one in candidates if one.log_odds > high), key=lambda one: one.log_odds)
    below = sorted((one for one in candidates if one.log_odds < low), key=lambda one: -one.log_odds)
    chosen: list[_QueuedFrame] = []
    vectors: list[npt.NDArray[np.float32]] = []
    for one in (*_in_turn(uncertain), *_alternating(above, below)):
        if len(chosen) == settings.count:
            break
        if vectors and float((np.stack(vectors) @ one.vector).max()) >= settings.same_picture:
            continue
        chosen.append(one)
        vectors.append(one.vector)
    return chosen


def _in_turn(candidates: Sequence[_QueuedFrame]) -> list[_QueuedFrame]:
    """Order by uncertainty, the first frames of all videos before their second ones."""
    ranked: list[tuple[int, float, str, float, _QueuedFrame]] = []
    taken: dict[str, int] = {}
    for one in sorted(candidates, key=lambda one: (abs(one.log_odds), one.video_id, one.seconds)):
        turn = taken[one.video_id] = taken.get(one.video_id, -1) + 1
        ranked.append((turn, abs(one.log_odds), one.video_id, one.seconds, one))
    return [entry[-1] for entry in sorted(ranked, key=lambda entry: entry[:-1])]


def _alternating(first: Sequence[_QueuedFrame], second: Sequence[_QueuedFrame]) -> list[_QueuedFrame]:
    pairs = [one for pair in zip(first, second, strict=False) for one in pair]
    shorter = min(len(first), len(second))
    return [*pairs, *first[shorter:], *second[shorter:]]
