"""A batch on Ray: tasks read videos, actors encode their frames, the driver writes."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import ExecutionError
from pipeline.execution.ledger import Ledger
from pipeline.execution.progress import OnProgress, ProgressMeter
from pipeline.execution.ray_cluster import Shares, connected
from pipeline.execution.settings import Execution
from pipeline.execution.stages import Stages
from pipeline.execution.video_work import (
    BatchTimes,
    Failure,
    Reading,
    Vectors,
    VideoEnd,
    assembled,
    failure_of,
    place_of,
)
from pipeline.types import Source, VideoReport
from pipeline.uris import public_name

__all__ = ["RayExecutor"]

_TICK_SECONDS = 0.5
_PATHS_PER_TASK = 16


class RayExecutor:
    """An `Executor` on a Ray cluster, or on a Ray of this machine that is started for the batch.

    Reading a video is one streaming task; its frames go from there to an encoder's process through Ray's shared memory,
    and the driver sees times and embeddings only. Batches of several short videos share a call of the encoder. A reader
    waits when it is `batches_ahead`, so memory is bounded whatever a video's length. A process that dies is retried
    `retries` times; then its video is reported as failed and the others go on.

    Args:
        settings: Where, and how much at once.
        stages: What the videos go through; store and index are written by this process alone.
        on_progress: Told how far the batch is.
    """

    def __init__(self, settings: Execution, stages: Stages, *, on_progress: OnProgress | None = None) -> None:
        self._settings = settings
        self._stages = stages
        self._on_progress = on_progress

    def run(self, sources: Iterable[Source]) -> Iterator[VideoReport]:
        """Index all sources; reports come as videos end, in no order.

        Raises:
            ExecutionError: The cluster cannot be reached or is too small, or encoders die again and again.
            ConfigError: The settings of two stages do not fit together.
            EncoderError: The model cannot be used; WeightsUnavailableError among them.
            MomentIndexError: The index cannot be used.
        """
        with connected(self._settings) as shares:
            batch = _Batch(self._settings, self._stages, shares, ProgressMeter(self._on_progress), iter(sources))
            try:
                yield from batch.reports()
            finally:
                batch.close()


@dataclass(eq=False)
class _Video:
    """A video that is being read or encoded."""

    source: Source
    video_id: str
    state: str
    number: int = 0
    pixels: Any = None
    times: list[BatchTimes] = field(default_factory=list)
    vectors: dict[int, Vectors] = field(default_factory=dict)
    end: VideoEnd | None = None
    has_failed: bool = False


@dataclass(eq=False)
class _Part:
    """A batch of a video's frames on its way to an encoder."""

    video: _Video
    number: int
    pixels: Any
    frames: int
    alone: bool = False


class _Batch:
    """The driver's loop: it admits sources, starts readers, feeds encoders, and writes what is complete."""

    def __init__(
        self, settings: Execution, stages: Stages, shares: Shares, meter: ProgressMeter, sources: Iterator[Source]
    ) -> None:
        import ray

        from pipeline.execution.ray_encoders import EncoderPool
        from pipeline.execution.ray_workers import identified, read_video

        self._ray = ray
        self._settings = settings
        self._stages = stages
        self._meter = meter
        self._sources = sources
        self._more_sources = True
        self._ledger = Ledger(stages, rows_per_write=settings.rows_per_write)
        self._encoders: EncoderPool[_Part] = EncoderPool(stages.encoder, shares, settings.retries)
        self._most_readers = shares.readers
        self._identify = ray.remote(identified).options(num_cpus=0, max_retries=settings.retries)
        self._read = ray.remote(read_video).options(
            num_cpus=shares.reader_cpus,
            num_returns="streaming",
            max_retries=settings.retries,
            _generator_backpressure_num_objects=2 * settings.batches_ahead,
        )
        self._reading: Any = None
        self._identifying: dict[Any, list[Source]] = {}
        self._admitted: deque[_Video] = deque()
        self._readers: dict[Any, _Video] = {}
        self._parts: deque[_Part] = deque()

    def reports(self) -> Iterator[VideoReport]:
        while True:
            self._identify_more()
            self._read_more()
            self._encode_more()
            waitables = self._waitables()
            yield from self._ledger.reports(all_written=not waitables)
            self._meter.ended(self._ledger.ended_count)
            if not waitables:
                return
            ready, _ = self._ray.wait(waitables, num_returns=1, timeout=_TICK_SECONDS, fetch_local=False)
            for reference in ready:
                self._take(reference)

    def close(self) -> None:
        if not self._ray.is_initialized():
            return
        for reader in self._readers:
            self._ray.cancel(reader)
        self._readers.clear()
        self._encoders.close()

    def _waitables(self) -> list[Any]:
        """What is expected, most urgent first; readers are left waiting while enough frames wait for an encoder."""
        waiting = sum(part.frames for part in self._parts)
        readers = list(self._readers) if waiting < self._settings.batch_frames else []
        return [*self._encoders.waitables(), *self._identifying, *readers]

    def _take(self, reference: Any) -> None:
        if reference in self._readers:
            self._take_read(reference, self._readers[reference])
        elif reference in self._identifying:
            self._take_identified(reference, self._identifying.pop(reference))
        else:
            for part, result in self._encoders.collect(reference):
                self._take_encoded(part, result)

    def _identify_more(self) -> None:
        coming = sum(map(len, self._identifying.values()))
        while self._more_sources and len(self._admitted) + coming < max(_PATHS_PER_TASK, self._most_readers):
            sources = list(itertools.islice(self._sources, _PATHS_PER_TASK))
            self._more_sources = len(sources) == _PATHS_PER_TASK
            if sources:
                reference = self._identify.remote([place_of(source) for source in sources], self._stages.fetching)
                self._identifying[reference] = sources
                coming += len(sources)

    def _take_identified(self, reference: Any, sources: list[Source]) -> None:
        try:
            found = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            found = [self._lost(error, source) for source in sources]
        for source, identity in zip(sources, found, strict=True):
            if isinstance(identity, Failure):
                self._ledger.fail(source, identity.problem)
            elif self._ledger.admit(source, identity.video_id):
                self._admitted.append(_Video(source, identity.video_id, identity.state))

    def _read_more(self) -> None:
        if not self._admitted:
            return
        self._encoders.start()
        if self._encoders.preprocessing is None:
            return
        if self._reading is None:
            reading = Reading(
                decoder=self._stages.decoder,
                sampler=self._stages.sampler,
                preprocessing=self._encoders.preprocessing,
                batch_frames=self._settings.batch_frames,
                fetching=self._stages.fetching,
            )
            self._reading = self._ray.put(reading)
        while self._admitted and len(self._readers) < self._most_readers:
            video = self._admitted.popleft()
            self._ledger.begin(video.video_id)
            video.number = self._meter.begin(public_name(video.source.uri))
            self._readers[self._read.remote(self._reading, place_of(video.source), video.state)] = video

    def _take_read(self, reader: Any, video: _Video) -> None:
        """Take the next object of a pair; the first is pixels, and is passed on unseen."""
        try:
            reference = next(reader)
            if video.pixels is None:
                video.pixels = reference
                return
            item = self._ray.get(reference)
        except StopIteration:
            item = self._lost_pixels(video)
        except self._ray.exceptions.RayError as error:
            item = self._lost(error, video.source)
        pixels, video.pixels = video.pixels, None
        if isinstance(item, BatchTimes):
            video.times.append(item)
            self._parts.append(_Part(video, len(video.times) - 1, pixels, len(item)))
            self._meter.advance(video.number, item)
            return
        del self._readers[reader]
        if isinstance(item, Failure):
            self._fail(video, item)
        else:
            video.end = item
            self._finish_if_complete(video)

    def _encode_more(self) -> None:
        """Fill calls with batches of several videos; a call that isn't full is made only to an encoder without work."""
        while self._parts and self._encoders.room(alone=self._parts[0].alone):
            parts: list[_Part] = []
            frames = 0
            for part in self._parts:
                if parts and (part.alone or parts[0].alone or frames + part.frames > self._settings.batch_frames):
                    break
                parts.append(part)
                frames += part.frames
            is_full = frames >= self._settings.batch_frames or len(parts) < len(self._parts)
            if not (is_full or self._encoders.is_hungry()):
                return
            for _ in parts:
                self._parts.popleft()
            self._encoders.submit(parts)

    def _take_encoded(self, part: _Part, result: Vectors | Failure | None) -> None:
        if part.video.has_failed:
            return
        if result is None:
            part.alone = True
            self._parts.append(part)
        elif isinstance(result, Failure):
            for reader in [each for each, video in self._readers.items() if video is part.video]:
                self._ray.cancel(reader)
                del self._readers[reader]
            self._fail(part.video, result)
        else:
            part.video.vectors[part.number] = result
            self._finish_if_complete(part.video)

    def _finish_if_complete(self, video: _Video) -> None:
        if video.end is None or len(video.vectors) < len(video.times):
            return
        self._meter.end(video.number)
        vectors = [video.vectors[number] for number in range(len(video.times))]
        try:
            frames = assembled(video.video_id, video.times, vectors, video.end)
        except ValueError as error:
            self._ledger.fail(video.source, failure_of(error, video.source.uri).problem, video.video_id)
        else:
            self._ledger.finish(video.source, frames, video.end)

    def _fail(self, video: _Video, failure: Failure) -> None:
        if failure.fatal is not None:
            raise failure.fatal
        video.has_failed = True
        self._meter.end(video.number)
        self._parts = deque(part for part in self._parts if part.video is not video)
        self._ledger.fail(video.source, failure.problem, video.video_id)

    def _lost_pixels(self, video: _Video) -> Failure:
        """Why a reader ended in the middle of a pair: its first object holds the error."""
        try:
            self._ray.get(video.pixels)
        except self._ray.exceptions.RayError as error:
            return self._lost(error, video.source)
        return Failure("its reader ended too early, without an error")

    def _lost(self, error: Exception, source: Source) -> Failure:
        exceptions = self._ray.exceptions
        tries = self._settings.retries + 1
        if isinstance(error, exceptions.OutOfMemoryError):
            return Failure(f"the process that read it was stopped {tries} times for want of memory")
        if isinstance(error, exceptions.WorkerCrashedError):
            return Failure(
                f"the process that read it died {tries} times; the file crashes the decoder, or memory ran out"
            )
        if isinstance(error, exceptions.RayTaskError):
            return failure_of(error.cause, source.uri)
        raise ExecutionError(f"Ray lost {public_name(source.uri)!r}: {' '.join(str(error).split())}") from error
