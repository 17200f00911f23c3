"""Starts, tracks and retries the Ray tasks that decode videos."""

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
    """A video that is to be read."""

    @property
    def source(self) -> Source:
        """Where it is."""

    @property
    def identity(self) -> Identity:
        """What its content was when it was identified."""


V = TypeVar("V", bound=HasSource)


@dataclass(eq=False)
class _Reader(Generic[V]):
    """A task; `heard` is when it last gave a sign of life, None as long as it waits for a processor."""

    video: V
    pixels: Any = None
    heard: float | None = None
    patience_seconds: float = 0.0


class ReaderPool(Generic[V]):
    """Reads videos, a task each, and gives up on one that makes no progress.

    What it waits for is in `pending_references`; what of that is ready goes to `collect`.

    Args:
        settings: How often a task is tried again, how far it may be ahead, and how long it may be silent.
        shares: How many videos are read at once.
        clock: Seconds that only grow.
    """

    def __init__(self, settings: Execution, shares: Shares, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._shares = shares
        self._clock = clock
        self._reading: Any = None
        self._batch_bytes = 1
        # Once: Ray would send the function anew with every video.
        self._task = ray.remote(read_video)
        self._readers: dict[Any, _Reader[V]] = {}

    def prepare(self, reading: Reading) -> None:
        """Say how videos are read, before the first `submit`; saying it twice changes nothing."""
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
        """References that something is expected of."""
        return list(self._readers)

    def submit(self, video: V) -> None:
        """Begin to read a video."""
        fitting = min(self._settings.batches_ahead, self._shares.reader_bytes / self._batch_bytes)
        task = self._task.options(
            num_cpus=self._shares.reader_cpus,
            num_returns="streaming",
            max_retries=self._settings.retries,
            _generator_backpressure_num_objects=2 * max(1, int(fitting)),
        )
        self._readers[task.remote(self._reading, place_of(video.source.uri), video.identity.state)] = _Reader(video)

    def collect(self, reference: Any) -> tuple[V, Any, Started | BatchTimes | VideoEnd | Failure | Lost] | None:
        """Take the next object of a reader: pixels, which are passed on unseen, and then what is known of them.

        Returns:
            The video, the reference of a batch's uint8 (N, H, W, 3) pixels in Ray's store, and what is known of them;
            or None where it was a sign of life only. After anything but `Started` and `BatchTimes` the reader is gone.

        Raises:
            ExecutionError: The cluster is gone.
        """
        reader = self._readers[reference]
        reader.heard = self._clock()
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
        reader.patience_seconds = 0.0
        if isinstance(item, Heartbeat):
            reader.patience_seconds = item.silence_seconds
            return None
        if not isinstance(item, Started | BatchTimes):
            del self._readers[reference]
        return reader.video, pixels, item

    def silent(self, *, is_listening: bool) -> list[V]:
        """End the readers that were silent for too long, and say whose they are.

        Args:
            is_listening: Whether the driver takes what readers have; otherwise they rightly wait, and none is blamed.
        """
        now = self._clock()
        found = []
        for reference, reader in list(self._readers.items()):
            if not is_listening and reader.heard is not None:
                reader.heard = now
            allowed = self._settings.stall_seconds + reader.patience_seconds
            if reader.heard is not None and now - reader.heard > allowed:
                self._end(reference)
                found.append(reader.video)
        return found

    def resize(self, shares: Shares) -> list[V]:
        """The cluster has another size: end the readers that no longer fit, youngest first, and say whose they are.

        One that waits in Ray's queue would take the place of an encoder that must start again, and then wait for it.
        """
        self._shares = shares
        surplus = list(self._readers)[shares.readers :]
        videos = [self._readers[reference].video for reference in surplus]
        for reference in surplus:
            self._end(reference)
        return videos

    def cancel(self, video: V) -> None:
        """Read a video no further."""
        for reference in [each for each, reader in self._readers.items() if reader.video is video]:
            self._end(reference)

    def close(self) -> None:
        """End all readers."""
        for reference in list(self._readers):
            self._end(reference)

    def _end(self, reference: Any) -> None:
        del self._readers[reference]
        # A decoder that hangs hears no request to stop; its process has to go.
        ray.cancel(reference, force=True)

    def _ended_early(self, reader: _Reader[V]) -> Failure | Lost:
        """Why a reader ended before its video did: where it was in the middle of a pair, the first one is the error."""
        try:
            if reader.pixels is not None:
                ray.get(reader.pixels)
        except RayError as error:
            return lost(error, reader.video.source, tries=self._settings.retries + 1)
        return Lost("its reader ended too early, without an error")


def lost(error: RayError, source: Source, *, tries: int) -> Failure | Lost:
    """What an error of Ray's means for a video: its own fault, or bad luck that another try may not have.

    Raises:
        ExecutionError: The cluster is gone.
    """
    if isinstance(error, OutOfMemoryError):
        return Failure(f"out of memory: Ray stopped the process that read it {tries} times")
    if isinstance(error, WorkerCrashedError):
        return Failure(f"the process that read it died {tries} times; the file crashes the decoder, or memory ran out")
    if isinstance(error, RayTaskError):
        return failure_of(error.cause, source.uri)
    said = public_text(" ".join(str(error).split()))
    if isinstance(error, RaySystemError):
        raise ExecutionError(f"Ray lost {public_name(source.uri)!r} and itself: {said}") from error
    return Lost(f"Ray lost it ({type(error).__name__}: {said})")
