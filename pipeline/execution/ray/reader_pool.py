"""Start, track and retry the Ray tasks that decode videos."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import ray
from ray.exceptions import OutOfMemoryError, RayError, RaySystemError, RayTaskError, WorkerCrashedError

from pipeline.errors import ExecutionError
from pipeline.execution.per_video.frame_batches import Reading
from pipeline.execution.per_video.messages import BatchTimes, Failure, Heartbeat, Lost, VideoEnd, failure_of
from pipeline.execution.ray.cluster import Shares
from pipeline.execution.ray.remote_tasks import Started, read_video
from pipeline.execution.settings import Execution
from pipeline.types import Source
from pipeline.uris import place_of, public_name, public_text
from pipeline.video import Identity

__all__ = ["HasSource", "ReaderPool", "lost"]


class HasSource(Protocol):
    """A video to be read."""

    @property
    def source(self) -> Source:
        """The source of the video."""

    @property
    def identity(self) -> Identity:
        """Id and state of the content when it was identified."""


V = TypeVar("V", bound=HasSource)


@dataclass(eq=False)
class _Reader(Generic[V]):
    """A reader task; `last_sign_at` is the time of its last sign of life, None while it waits for a processor."""

    video: V
    pixels: Any = None
    last_sign_at: float | None = None
    silence_seconds: float = 0.0


class ReaderPool(Generic[V]):
    """Reads each video in a task, and ends tasks that make no progress.

    Results are awaited on `pending_references`; each one that is ready is passed to `collect`.

    Args:
        settings: How often a task is retried, how far it may be ahead, and how long it may be silent.
        shares: How many videos are read at once.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, settings: Execution, shares: Shares, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._shares = shares
        self._clock = clock
        self._reading: Any = None
        self._batch_bytes = 1
        # Created once: otherwise Ray would send the function with every video.
        self._task = ray.remote(read_video)
        self._readers: dict[Any, _Reader[V]] = {}

    def prepare(self, reading: Reading) -> None:
        """Set how videos are read, before the first `submit`; only the first call has an effect."""
        if self._reading is None:
            self._reading = ray.put(reading)
            picture_bytes = reading.preprocessing.image_height * reading.preprocessing.image_width * 3
            self._batch_bytes = reading.batch_frames * picture_bytes

    def __contains__(self, reference: Any) -> bool:
        return reference in self._readers

    def __len__(self) -> int:
        return len(self._readers)

    @property
    def has_room(self) -> bool:
        """Whether another video can be read now."""
        return len(self._readers) < self._shares.readers

    @property
    def pending_references(self) -> list[Any]:
        """The references of results that have not been collected."""
        return list(self._readers)

    def submit(self, video: V) -> None:
        """Start to read a video."""
        fitting = min(self._settings.batches_ahead, self._shares.reader_bytes / self._batch_bytes)
        task = self._task.options(
            num_cpus=self._shares.reader_cpus,
            num_returns="streaming",
            max_retries=self._settings.retries,
            _generator_backpressure_num_objects=2 * max(1, int(fitting)),
        )
        self._readers[task.remote(self._reading, place_of(video.source.uri), video.identity.state)] = _Reader(video)

    def collect(self, reference: Any) -> tuple[V, Any, Started | BatchTimes | VideoEnd | Failure | Lost] | None:
        """Collect the next object of a reader: pixels, which are not fetched, or the item that belongs to them.

        Returns:
            The video, the reference of a batch's uint8 (N, H, W, 3) pixels in Ray's store, and their item; None for
            pixels or a mere sign of life. After any item but `Started` and `BatchTimes`, the reader has ended.

        Raises:
            ExecutionError: The cluster is gone.
        """
        reader = self._readers[reference]
        reader.last_sign_at = self._clock()
        try:
            following = next(reference)
            if reader.pixels is None:
                reader.pixels = following
                return None
            item = ray.get(following)
        except StopIteration:
            item = self._ended_early(reader)
        except RayError as error:
            item = lost(error, reader.video.source, tries=self._settings.retries + 1)
        pixels, reader.pixels = reader.pixels, None
        reader.silence_seconds = 0.0
        if isinstance(item, Heartbeat):
            reader.silence_seconds = item.silence_seconds
            return None
        if not isinstance(item, Started | BatchTimes):
            del self._readers[reference]
        return reader.video, pixels, item

    def stalled(self, *, is_listening: bool) -> list[V]:
        """End the readers that were silent for too long, and return their videos.

        Args:
            is_listening: Whether the driver collects what readers return; otherwise they have to wait, and their
                silence does not count.
        """
        now = self._clock()
        videos = []
        for reference, reader in list(self._readers.items()):
            if not is_listening and reader.last_sign_at is not None:
                reader.last_sign_at = now
            allowed = self._settings.stall_seconds + reader.silence_seconds
            if reader.last_sign_at is not None and now - reader.last_sign_at > allowed:
                self._end(reference)
                videos.append(reader.video)
        return videos

    def resize(self, shares: Shares) -> list[V]:
        """Adapt to a cluster whose size has changed: end the youngest readers that do not fit, return their videos.

        A reader waiting in Ray's queue would take the place of an encoder that must restart, and then wait for it.
        """
        self._shares = shares
        surplus = list(self._readers)[shares.readers :]
        videos = [self._readers[reference].video for reference in surplus]
        for reference in surplus:
            self._end(reference)
        return videos

    def cancel(self, video: V) -> None:
        """Stop reading a video."""
        for reference in [reference for reference, reader in self._readers.items() if reader.video is video]:
            self._end(reference)

    def close(self) -> None:
        """End all readers."""
        for reference in list(self._readers):
            self._end(reference)

    def _end(self, reference: Any) -> None:
        del self._readers[reference]
        # A hanging decoder does not notice a request to stop; its process has to be killed.
        ray.cancel(reference, force=True)

    def _ended_early(self, reader: _Reader[V]) -> Failure | Lost:
        """Why a reader ended before its video: if it ended within a pair of objects, the first one is the error."""
        try:
            if reader.pixels is not None:
                ray.get(reader.pixels)
        except RayError as error:
            return lost(error, reader.video.source, tries=self._settings.retries + 1)
        return Lost("its reader ended too early, without an error")


def lost(error: RayError, source: Source, *, tries: int) -> Failure | Lost:
    """Convert an error of Ray to a failure of the video, or to `Lost` if another try may succeed.

    Raises:
        ExecutionError: The cluster is gone.
    """
    if isinstance(error, OutOfMemoryError):
        return Failure(f"out of memory: Ray stopped the process that read it {tries} times")
    if isinstance(error, WorkerCrashedError):
        return Failure(f"the process that read it died {tries} times; the file crashes the decoder, or memory ran out")
    if isinstance(error, RayTaskError):
        return failure_of(error.cause, source.uri)
    message = public_text(" ".join(str(error).split()))
    if isinstance(error, RaySystemError):
        raise ExecutionError(f"Ray failed while working on {public_name(source.uri)!r}: {message}") from error
    return Lost(f"Ray lost it ({type(error).__name__}: {message})")
