"""Examples: the sampled frames that marks point to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.analyze.frame_intervals import frame_intervals
from pipeline.analyze.marks.mark import Mark, Verdict
from pipeline.types import FrameEmbeddings

__all__ = ["Example", "examples_of", "marked_rows"]

_MOST_FRAMES = 8
"""Frames of one mark; a long interval is one opinion, however many frames lie in it."""


@dataclass(frozen=True)
class Example:
    """A mark with the embeddings of its frames.

    Attributes:
        mark: The mark.
        vectors: float32 (M, D), M from 1 to 8.
    """

    mark: Mark
    vectors: npt.NDArray[np.float32]

    @property
    def is_shown(self) -> bool:
        """Whether the mark says yes."""
        return self.mark.verdict is Verdict.YES


def marked_rows(frames: FrameEmbeddings, start_seconds: float, end_seconds: float) -> npt.NDArray[np.intp]:
    """Find the sampled frames of a marked part: those within it, else the one that stands for its middle.

    Args:
        frames: Of the video.
        start_seconds: First second of the part.
        end_seconds: Its end; the start for a point in time.

    Returns:
        intp (M,) rows, increasing; empty where no sampled frame stands for the part.
    """
    times = frames.times_seconds
    inside = np.flatnonzero((times >= start_seconds) & (times < end_seconds))
    if len(inside):
        return inside[np.unique(np.linspace(0, len(inside) - 1, _MOST_FRAMES).round().astype(np.intp))]
    intervals = frame_intervals(frames)
    middle = (start_seconds + end_seconds) / 2
    rows = np.flatnonzero((intervals.starts_seconds <= middle) & (middle <= intervals.ends_seconds))
    return rows[-1:]


def examples_of(marks: Iterable[Mark], videos: Mapping[str, FrameEmbeddings]) -> tuple[list[Example], list[Mark]]:
    """Look up the frames of marks.

    Args:
        marks: The marks.
        videos: By id, the frame embeddings of all their videos.

    Returns:
        The examples, and the marks of parts for which no sampled frame stands.
    """
    found: list[Example] = []
    without: list[Mark] = []
    for mark in marks:
        frames = videos[mark.video_id]
        rows = marked_rows(frames, mark.start_seconds, mark.end_seconds)
        if len(rows):
            found.append(Example(mark, frames.vectors[rows]))
        else:
            without.append(mark)
    return found, without
