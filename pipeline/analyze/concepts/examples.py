"""Examples: marks with their sampled frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.analyze.frame_intervals import frame_intervals
from pipeline.analyze.marks.mark import Mark, Verdict
from pipeline.types import FrameEmbeddings

__all__ = ["Example", "examples_of", "marked_rows"]

_MOST_FRAMES = 8
"""Maximum number of frames per mark: a long interval is one opinion, regardless of its number of frames."""


@dataclass(frozen=True)
class Example:
    """A mark with the embeddings of its frames.

    Attributes:
        mark: The mark.
        vectors: float32 (M, D) embeddings of its frames, M from 1 to 8.
    """

    mark: Mark
    vectors: npt.NDArray[np.float32]

    @property
    def is_shown(self) -> bool:
        """Whether the mark says yes."""
        return self.mark.verdict is Verdict.YES


def marked_rows(frames: FrameEmbeddings, start_seconds: float, end_seconds: float) -> npt.NDArray[np.intp]:
    """Find the sampled frames of a marked part: those within it, else the one that represents its middle.

    Args:
        frames: The video's frame embeddings.
        start_seconds: Start of the part.
        end_seconds: End of the part; equal to the start for a point in time.

    Returns:
        intp (M,) rows, increasing; empty if no sampled frame represents the part.
    """
    times = frames.times_seconds
    inside = np.flatnonzero((times >= start_seconds) & (times < end_seconds))
    if len(inside):
        return inside[np.unique(np.linspace(0, len(inside) - 1, _MOST_FRAMES).round().astype(np.intp))]
    intervals = frame_intervals(frames)
    middle = (start_seconds + end_seconds) / 2
    rows = np.flatnonzero((intervals.starts_seconds <= middle) & (middle <= intervals.ends_seconds))
    return rows[-1:]


def examples_of(marks: Iterable[Mark], frames: FrameEmbeddings) -> tuple[list[Example], list[Mark]]:
    """Look up the frames of the marks of one video.

    Args:
        marks: The marks.
        frames: The video's frame embeddings.

    Returns:
        The examples, and the marks without a sampled frame.
    """
    found: list[Example] = []
    without: list[Mark] = []
    for mark in marks:
        rows = marked_rows(frames, mark.start_seconds, mark.end_seconds)
        if len(rows):
            found.append(Example(mark, frames.vectors[rows]))
        else:
            without.append(mark)
    return found, without
