"""What a running batch says of itself while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.execution.video_work import BatchTimes

__all__ = ["OnProgress", "ProgressEvent", "ProgressMeter"]

_INTERVAL_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class ProgressEvent:
    """How far a batch is, all videos together.

    Attributes:
        videos_ended: Sources that have their report, or are about to.
        active: Videos being worked on, by the caller's name of them, oldest first.
        active_share: Sum, over the active videos, of the share that is decoded; a video of unknown length counts 0.
        frames_sampled: Frames handed to the encoder.
        seconds_decoded: Seconds of video decoded.
    """

    videos_ended: int
    active: tuple[str, ...]
    active_share: float
    frames_sampled: int
    seconds_decoded: float


OnProgress = Callable[[ProgressEvent], None]


class ProgressMeter:
    """Adds up what the videos of a batch report, and tells it at most ten times a second.

    Args:
        on_progress: Who is told; None for nobody.
    """

    def __init__(self, on_progress: OnProgress | None) -> None:
        self._on_progress = on_progress
        self._shares: dict[int, tuple[str, float]] = {}
        self._seconds: dict[int, float] = {}
        self._frames_sampled = 0
        self._seconds_decoded = 0.0
        self._told = 0.0
        self._begun = 0
        self.videos_ended = 0

    def begin(self, name: str) -> int:
        """A video is begun; the number by which it goes on."""
        self._begun += 1
        self._shares[self._begun] = (name, 0.0)
        self._seconds[self._begun] = 0.0
        self._tell()
        return self._begun

    def advance(self, number: int, times: BatchTimes) -> None:
        """A batch of a video is decoded."""
        name, share = self._shares[number]
        if times.duration_seconds:
            share = min(1.0, times.decoded_seconds / times.duration_seconds)
        self._shares[number] = (name, share)
        self._frames_sampled += len(times)
        self._seconds_decoded += max(0.0, times.decoded_seconds - self._seconds[number])
        self._seconds[number] = times.decoded_seconds
        self._tell()

    def end(self, number: int) -> None:
        """A video is no longer worked on."""
        del self._shares[number], self._seconds[number]

    def ended(self, videos: int) -> None:
        """So many sources have their report by now."""
        self.videos_ended = videos
        self._tell(at_once=True)

    def _tell(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if self._on_progress is None or (now - self._told < _INTERVAL_SECONDS and not at_once):
            return
        self._told = now
        event = ProgressEvent(
            videos_ended=self.videos_ended,
            active=tuple(name for name, _ in self._shares.values()),
            active_share=sum(share for _, share in self._shares.values()),
            frames_sampled=self._frames_sampled,
            seconds_decoded=self._seconds_decoded,
        )
        self._on_progress(event)
