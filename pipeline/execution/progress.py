"""Measures and publishes the progress of a running batch."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pipeline.execution.per_video.messages import BatchTimes, VideoEnd
from pipeline.execution.stage_times import StageSeconds
from pipeline.execution.work_left import WorkMeter, WorkSoFar

__all__ = ["EncoderTimes", "LedgerCounts", "OnProgress", "ProgressEvent", "ProgressMeter", "starting"]


@dataclass(frozen=True, kw_only=True)
class LedgerCounts:
    """Counts and times of the ledger until now.

    Attributes:
        ended: Sources that have their report.
        failed: Those of them that failed.
        skipped: Those of them that needed no work.
        store_seconds: Time spent writing embeddings.
        index_seconds: Time spent writing rows.
    """

    ended: int = 0
    failed: int = 0
    skipped: int = 0
    store_seconds: float = 0.0
    index_seconds: float = 0.0


_INTERVAL_SECONDS = 0.1
_WINDOW_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class ProgressEvent:
    """The progress of a batch, over all its videos.

    Attributes:
        videos_ended: Sources that have their report, or are about to.
        active: Videos being worked on, by the caller's name of them, oldest first.
        active_share: Sum, over the active videos, of the share that is decoded; a video of unknown length counts 0.
        frames_sampled: Frames handed to the encoder.
        seconds_decoded: Seconds of video decoded.
        videos_failed: Those of `videos_ended` that failed.
        videos_skipped: Those of `videos_ended` that needed no work.
        frames_waiting: Frames that wait for an encoder.
        readers_busy: Share, 0 to 1, of the readers' time of the last half minute in which they decoded.
        encoders_busy: Share, 0 to 1, of the encoders' time of the last half minute in which they encoded.
        stages: What each stage took since the batch began.
        work: What is known of the work on all videos; None in what an earlier version has told.
        phase: What the batch waits for before its first frames are encoded, as "starting Ray"; empty from then on.
    """

    videos_ended: int
    active: tuple[str, ...]
    active_share: float
    frames_sampled: int
    seconds_decoded: float
    videos_failed: int = 0
    videos_skipped: int = 0
    frames_waiting: int = 0
    readers_busy: float = 0.0
    encoders_busy: float = 0.0
    stages: StageSeconds = field(default_factory=StageSeconds)
    work: WorkSoFar | None = None
    phase: str = ""


OnProgress = Callable[[ProgressEvent], None]


def starting(phase: str) -> ProgressEvent:
    """Describe a batch that has not begun its first video.

    Args:
        phase: What it waits for.
    """
    return ProgressEvent(
        videos_ended=0, active=(), active_share=0.0, frames_sampled=0, seconds_decoded=0.0, phase=phase
    )


@dataclass(frozen=True, kw_only=True)
class EncoderTimes:
    """Time that all encoders have spent, added up.

    Attributes:
        load_seconds: From when they were asked to open their model until they had.
        busy_seconds: Time in the model.
    """

    load_seconds: float = 0.0
    busy_seconds: float = 0.0


@dataclass
class _Active:
    """A video being worked on, and what of it is counted already."""

    name: str
    share: float = 0.0
    decoded_seconds: float = 0.0
    busy_seconds: float = 0.0
    waited_seconds: float = 0.0


class _Sample(NamedTuple):
    taken: float
    stages: StageSeconds


class ProgressMeter:
    """Adds up the progress of a batch's videos, and publishes it at most ten times a second.

    Args:
        on_progress: Who is told; None for nobody.
        clock: Seconds that only grow.
        is_searching: Whether cuts are searched for after a video's frames.
    """

    def __init__(
        self,
        on_progress: OnProgress | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        is_searching: bool = False,
    ) -> None:
        self._on_progress = on_progress
        self._clock = clock
        self._active: dict[int, _Active] = {}
        self._frames_sampled = 0
        self._seconds_decoded = 0.0
        self._frames_waiting = 0
        self._counts = LedgerCounts()
        self._stages = StageSeconds()
        self._readers = self._encoders = 0
        self._resized = clock()
        self._samples: deque[_Sample] = deque()
        self._told = float("-inf")
        self._begun = 0
        self._work = WorkMeter(is_searching)
        self._phase = ""

    def resize(self, *, readers: int, encoders: int) -> None:
        """So many videos can be read, and so many batches encoded, at once from now on."""
        self._count_slots()
        self._readers, self._encoders = readers, encoders

    def load_model(self) -> None:
        """The model is being loaded, until the first frames are encoded."""
        if not self._phase and not self._stages.encode:
            self._phase = "loading the model"
            self._tell(at_once=True)

    @property
    def active_count(self) -> int:
        """How many videos are being worked on."""
        return len(self._active)

    def begin(self, name: str) -> int:
        """A video is begun; the number by which it goes on."""
        self._begun += 1
        self._active[self._begun] = _Active(name)
        self._work.begin(self._begun)
        self._tell()
        return self._begun

    def advance(self, number: int, times: BatchTimes, *, encoders: EncoderTimes | None = None) -> None:
        """A batch of a video is decoded."""
        video = self._active[number]
        if times.duration_seconds:
            video.share = min(1.0, times.decoded_seconds / times.duration_seconds)
        self._frames_sampled += len(times)
        self._seconds_decoded += max(0.0, times.decoded_seconds - video.decoded_seconds)
        video.decoded_seconds = times.decoded_seconds
        self.add_reading(number, times)
        self._work.decoded(
            number,
            seconds=times.decoded_seconds,
            length=times.duration_seconds,
            busy_seconds=times.busy_seconds,
        )
        self._note(encoders)
        self._tell()

    def add_reading(self, number: int, read: BatchTimes | VideoEnd) -> None:
        """A reader says how long it worked and waited until now."""
        video = self._active[number]
        self._stages = replace(
            self._stages,
            decode=self._stages.decode + (read.busy_seconds - video.busy_seconds),
            wait=self._stages.wait + (read.waited_seconds - video.waited_seconds),
        )
        video.busy_seconds, video.waited_seconds = read.busy_seconds, read.waited_seconds
        if isinstance(read, VideoEnd):
            self._work.read(number, length=read.duration_seconds, busy_seconds=read.busy_seconds)

    def end(self, number: int) -> None:
        """A video is no longer worked on."""
        del self._active[number]
        self._work.end(number)

    def ended(self, counts: LedgerCounts, *, encoders: EncoderTimes | None = None, frames_waiting: int = 0) -> None:
        """So many sources have their report by now."""
        is_news = counts.ended != self._counts.ended
        self._counts = counts
        self._stages = replace(self._stages, store=counts.store_seconds, index=counts.index_seconds)
        self._frames_waiting = frames_waiting
        self._note(encoders)
        self._tell(at_once=is_news)

    def _note(self, encoders: EncoderTimes | None) -> None:
        if encoders is not None:
            self._stages = replace(self._stages, load=encoders.load_seconds, encode=encoders.busy_seconds)
            if encoders.busy_seconds:
                self._phase = ""

    def _count_slots(self) -> None:
        now = self._clock()
        elapsed, self._resized = now - self._resized, now
        self._stages = replace(
            self._stages,
            reader_slots=self._stages.reader_slots + elapsed * self._readers,
            encoder_slots=self._stages.encoder_slots + elapsed * self._encoders,
        )

    def _tell(self, *, at_once: bool = False) -> None:
        now = self._clock()
        if self._on_progress is None or (now - self._told < _INTERVAL_SECONDS and not at_once):
            return
        self._told = now
        self._count_slots()
        readers_busy, encoders_busy = self._shares_busy(now)
        event = ProgressEvent(
            videos_ended=self._counts.ended,
            active=tuple(video.name for video in self._active.values()),
            active_share=sum(video.share for video in self._active.values()),
            frames_sampled=self._frames_sampled,
            seconds_decoded=self._seconds_decoded,
            videos_failed=self._counts.failed,
            videos_skipped=self._counts.skipped,
            frames_waiting=self._frames_waiting,
            readers_busy=readers_busy,
            encoders_busy=encoders_busy,
            stages=self._stages,
            work=self._work.so_far(
                now,
                readers=self._readers,
                encoders=self._encoders,
                sampled=self._frames_sampled,
                waiting=self._frames_waiting,
                encode=self._stages.encode,
            ),
            phase=self._phase,
        )
        self._on_progress(event)

    def _shares_busy(self, now: float) -> tuple[float, float]:
        """Work in proportion to the time there was for it, lately: it is told in pieces, which can be long."""
        if not self._samples or now - self._samples[-1].taken >= 1.0:
            self._samples.append(_Sample(now, self._stages))
        while len(self._samples) > 1 and now - self._samples[1].taken >= _WINDOW_SECONDS:
            self._samples.popleft()
        first, current = self._samples[0].stages, self._stages
        return (
            _share(current.decode - first.decode, current.reader_slots - first.reader_slots),
            _share(current.encode - first.encode, current.encoder_slots - first.encoder_slots),
        )


def _share(part: float, whole: float) -> float:
    return min(1.0, max(0.0, part / whole)) if whole > 0 else 0.0
