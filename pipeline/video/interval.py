"""Selects the frames on screen in an interval."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TypeVar

from pipeline.types import Frame

__all__ = ["shown_within"]

F = TypeVar("F", bound=Frame)


def shown_within(frames: Iterable[F], start: Fraction | None, end: Fraction | None) -> Iterator[F]:
    """Select the frames that are shown in [start, end); each is shown until the next one.

    Args:
        frames: Frames in presentation order; one of them is held back.
        start: Start of the interval; None for the beginning of the video.
        end: End of the interval; None for the end of the video.
    """
    if start is not None and end is not None and start >= end:
        return
    on_screen: F | None = None
    for frame in frames:
        if end is not None and frame.time >= end:
            if on_screen is not None:
                yield on_screen
            return
        if start is not None and frame.time <= start:
            on_screen = frame
            continue
        if on_screen is not None:
            yield on_screen
            on_screen = None
        yield frame
    # After the last frame, only its duration tells whether it is still shown at `start`.
    if on_screen is not None and start is not None:
        duration = on_screen.duration
        if duration is None or on_screen.time == start or on_screen.time + duration > start:
            yield on_screen
