"""Selects the sampled frames that represent labelled intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.analyze.frame_intervals import frame_intervals
from pipeline.export.dataset.settings import DatasetSettings
from pipeline.types import FrameEmbeddings

__all__ = ["PickedFrame", "TextInterval", "pick_frames"]


@dataclass(frozen=True)
class TextInterval:
    """An interval of a video with a text that describes it.

    Attributes:
        video_id: The video's id.
        start_seconds: First second.
        end_seconds: Its end, excluded; equal to the start for a point in time.
        text: The text to learn.
        source: Its source: "captions", "marks" or "labels".
        excluded: Intervals [start, end) of the video, in seconds, that the text is known not to describe.
    """

    video_id: str
    start_seconds: float
    end_seconds: float
    text: str
    source: str
    excluded: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class PickedFrame:
    """A sampled frame of a labelled interval.

    Attributes:
        row: Row of the frame in the video's frame embeddings.
        interval: The interval that it represents.
    """

    row: int
    interval: TextInterval


def pick_frames(
    frames: FrameEmbeddings, intervals: Iterable[TextInterval], settings: DatasetSettings
) -> tuple[list[PickedFrame], int]:
    """Pick the frames of one video that represent its intervals.

    For an interval, these are sampled frames inside it, evenly spread; for a point in time, it is the sampled frame
    that represents it. A frame is left out if its embedding nearly equals that of another frame with the same text.

    Args:
        frames: The frame embeddings of the video.
        intervals: Intervals of the same video.
        settings: The number of frames per interval, and the cosine of near-duplicates.

    Returns:
        The picked frames, ordered by time and text, and the number of intervals without any sampled frame.
    """
    found: list[PickedFrame] = []
    kept: dict[str, list[npt.NDArray[np.float32]]] = defaultdict(list)
    without = 0
    for interval in sorted(intervals, key=lambda one: (one.start_seconds, one.end_seconds, one.text, one.source)):
        rows = _rows_in(frames, interval)
        without += not len(rows)
        others = _without_copies(frames.vectors, rows, kept[interval.text], settings.same_picture)
        for row in _spread(others, settings.frames_per_interval):
            kept[interval.text].append(frames.vectors[row])
            found.append(PickedFrame(int(row), interval))
    found.sort(key=lambda one: (one.row, one.interval.text))
    return found, without


def _rows_in(frames: FrameEmbeddings, interval: TextInterval) -> npt.NDArray[np.intp]:
    times, start, end = frames.times_seconds, interval.start_seconds, interval.end_seconds
    if start < end:
        is_in = (times >= start) & (times < end)
    else:
        stands = frame_intervals(frames)
        is_in = (stands.starts_seconds <= start) & (start < stands.ends_seconds)
    for left, right in interval.excluded:
        is_in &= (times < left) | (times >= right)
    return np.flatnonzero(is_in)


def _without_copies(
    vectors: npt.NDArray[np.float32],
    rows: npt.NDArray[np.intp],
    before: list[npt.NDArray[np.float32]],
    same_picture: float,
) -> npt.NDArray[np.intp]:
    """Return the rows whose vectors differ from earlier ones and from each other."""
    known = list(before)
    found = []
    for row in rows:
        if not known or float((np.stack(known) @ vectors[row]).max()) < same_picture:
            known.append(vectors[row])
            found.append(row)
    return np.asarray(found, np.intp)


def _spread(rows: npt.NDArray[np.intp], most: int) -> npt.NDArray[np.intp]:
    """Return at most `most` of the rows, spread evenly; for one, the middle row."""
    if len(rows) <= most:
        return rows
    places = (np.arange(most) + 0.5) * len(rows) / most
    return rows[places.astype(np.intp)]
