"""Measure and publish the progress of a running batch."""

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
    """The ledger's counts and times so far.

    Attributes:
        ended: Number of sources that have their report.
        failed: Number of those that failed.
        skipped: Number of those that needed no work.
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
        videos_ended: Number of sources that have their report, or are about to get it.
        active: Names of the videos being worked on, as the caller gave them, oldest first.
        active_share: Sum, over the active videos, of the share that is decoded; a video of unknown length counts 0.
        frames_sampled: Number of frames handed to the encoder.
        seconds_decoded: Seconds of video decoded.
        videos_failed: Number of ended sources that failed.
        videos_skipped: Number of ended sources that needed no work.
        frames_waiting: Number of frames that wait for an encoder.
        readers_busy: Share, 0 to 1, of the last half minute in which readers decoded.
        encoders_busy: Share, 0 to 1, of the last half minute in which encoders encoded.
        stages: Time that each stage took since the batch began.
        work: The amount of work known and done; None in events of earlier versions.
        phase: What the batch waits for before its first frames are encoded, e.g. "starting Ray"; empty from then on.
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
    """Make the progress event of a batch that has not begun its first video.

    Args:
        phase: What the batch waits for.
    """
    return ProgressEvent(
        videos_ended=0, active=(), active_share=0.0, frames_sampled=0, seconds_decoded=0.0, phase=phase
    )


@dataclass(frozen=True, kw_only=True)
class EncoderTimes:
    """Time that all encoders have spent, added up.

    Attributes:
        load_seconds: Time from the request to load the model until it was loaded.
        busy_seconds: Time in the model.
    """

    load_seconds: float = 0.0
    busy_seconds: float = 0.0


@dataclass
class _Active:
    """A video being worked on, and the part of it that is counted already."""

    name: str
    share: float = 0.0
    decoded_seconds: float = 0.0
    busy_seconds: float = 0.0
    waited_seconds: float = 0.0


class _StageSnapshot(NamedTuple):
    measured_at: float
    stages: StageSeconds


class ProgressMeter:
    """Adds up the progress of a batch's videos, and publishes it at most ten times a second.

    Args:
        on_progress: Called with each published event; None to publish nothing.
        clock: A monotonic clock, in seconds.
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
        self._slots_counted_at = clock()
        self._samples: deque[_StageSnapshot] = deque()
        self._published_at = float("-inf")
        self._begun_count = 0
        self._work = WorkMeter(is_searching)
        self._phase = ""

    def resize(self, *, readers: int, encoders: int) -> None:
        """Set how many videos can be read, and how many batches encoded, at once from now on."""
        self._count_slots()
        self._readers, self._encoders = readers, encoders

    def load_model(self) -> None:
        """Report that the model is being loaded, until the first frames are encoded."""
        if not self._phase and not self._stages.encode:
            self._phase = "loading the model"
            self._publish(at_once=True)

    @property
    def active_count(self) -> int:
        """Number of videos being worked on."""
        return len(self._active)

    def begin(self, name: str) -> int:
        """Begin a video, and return its number for the other methods."""
        self._begun_count += 1
        self._active[self._begun_count] = _Active(name)
        self._work.begin(self._begun_count)
        self._publish()
        return self._begun_count

    def advance(self, number: int, times: BatchTimes, *, encoders: EncoderTimes | None = None) -> None:
        """Count a decoded batch of a video."""
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
        self._set_encoder_times(encoders)
        self._publish()

    def add_reading(self, number: int, read: BatchTimes | VideoEnd) -> None:
        """Add the times that a reader has worked on a video and waited."""
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
        """End a video that is no longer worked on."""
        del self._active[number]
        self._work.end(number)

    def ended(self, counts: LedgerCounts, *, encoders: EncoderTimes | None = None, frames_waiting: int = 0) -> None:
        """Set the counts of the ledger."""
        is_changed = counts.ended != self._counts.ended
        self._counts = counts
        self._stages = replace(self._stages, store=counts.store_seconds, index=counts.index_seconds)
        self._frames_waiting = frames_waiting
        self._set_encoder_times(encoders)
        self._publish(at_once=is_changed)

    def _set_encoder_times(self, encoders: EncoderTimes | None) -> None:
        if encoders is not None:
            self._stages = replace(self._stages, load=encoders.load_seconds, encode=encoders.busy_seconds)
            if encoders.busy_seconds:
                self._phase = ""

    def _count_slots(self) -> None:
        now = self._clock()
        elapsed, self._slots_counted_at = now - self._slots_counted_at, now
        self._stages = replace(
            self._stages,
            reader_slots=self._stages.reader_slots + elapsed * self._readers,
            encoder_slots=self._stages.encoder_slots + elapsed * self._encoders,
        )

    def _publish(self, *, at_once: bool = False) -> None:
        now = self._clock()
        if self._on_progress is None or (now - self._published_at < _INTERVAL_SECONDS and not at_once):
            return
        self._published_at = now
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
        """The utilisation of readers and encoders over a window, since single reports may cover long times."""
        if not self._samples or now - self._samples[-1].measured_at >= 1.0:
            self._samples.append(_StageSnapshot(now, self._stages))
        while len(self._samples) > 1 and now - self._samples[1].measured_at >= _WINDOW_SECONDS:
            self._samples.popleft()
        first, current = self._samples[0].stages, self._stages
        return (
            _share(current.decode - first.decode, current.reader_slots - first.reader_slots),
            _share(current.encode - first.encode, current.encoder_slots - first.encoder_slots),
        )


def _share(part: float, whole: float) -> float:
    return min(1.0, max(0.0, part / whole)) if whole > 0 else 0.0
