"""Executor on Ray: tasks decode videos, actors encode their frames, the driver writes the results."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from pipeline.errors import ExecutionError, MomentseekError
from pipeline.execution.ledger.ledger import Ledger
from pipeline.execution.per_video.frame_batches import Reading
from pipeline.execution.per_video.messages import (
    BatchTimes,
    Failure,
    Lost,
    Vectors,
    VideoEnd,
    failure_of,
)
from pipeline.execution.progress import OnProgress, ProgressMeter, starting
from pipeline.execution.protocol import Stages
from pipeline.execution.ray.batch_dispatch import PendingBatch, RayVideo
from pipeline.execution.ray.cluster import Shares, connected, connection_phase, current_shares, is_own_ray
from pipeline.execution.ray.remote_tasks import Started
from pipeline.execution.settings import Execution
from pipeline.execution.stopping import StopRequest
from pipeline.types import Source, VideoReport
from pipeline.uris import public_name
from pipeline.video import Identity

if TYPE_CHECKING:
    from pipeline.execution.ray.encoder_actors import IdleEncoders

__all__ = ["RayExecutor"]

_log = logging.getLogger(__name__)

_TICK_SECONDS = 0.5
_CLUSTER_SECONDS = 2.0


class RayExecutor:
    """An `Executor` on a Ray cluster, or on a Ray instance that is started on this machine for the batch.

    Each video is read by one streaming task; its frames go from there to an encoder's process through Ray's shared
    memory, and the driver only receives times and embeddings. Batches of several short videos share a call of the
    encoder. A reader waits when it is `batches_ahead`, so the use of memory is bounded, however long a video is. A
    process that dies is retried `retries` times; then its video is reported as failed and the others continue. The same
    applies to a video whose reader gives no sign of life for `stall_seconds`. Nodes may join and leave: new ones are
    used, and lost work is repeated. The autoscaler of a cluster sees how many more videos could be read at once.

    Args:
        settings: Where the batch runs, and how much of it at once.
        stages: The stages that each video passes through; only this process writes to the sink.
        on_progress: Called with the progress of the batch.
        idle_encoders: Encoders of the batch before, which also stores them for the next one; None to start and end
            encoders with this batch.
        stop: A request to end the batch, which may be made while it runs.
    """

    def __init__(
        self,
        settings: Execution,
        stages: Stages,
        *,
        on_progress: OnProgress | None = None,
        idle_encoders: IdleEncoders | None = None,
        stop: StopRequest | None = None,
    ) -> None:
        self._idle_encoders = idle_encoders
        self._stop = stop or StopRequest()
        self._settings = settings
        self._stages = stages
        self._on_progress = on_progress

    def run(self, sources: Iterable[Source]) -> Iterator[VideoReport]:
        """Index all sources; reports are yielded as videos end, in no particular order.

        Raises:
            ExecutionError: The cluster cannot be reached or is too small, or encoders die again and again.
            ConfigError: The settings of two stages do not fit together.
            EncoderError: The model cannot be used. Includes WeightsUnavailableError.
            MomentIndexError: The index cannot be used.
            BaseException: The error of the stop request.
        """
        phase = connection_phase(self._settings)
        if self._on_progress is not None and phase:
            self._on_progress(starting(phase))
        with connected(self._settings) as shares, _published(self._on_progress) as on_progress:
            meter = ProgressMeter(on_progress, is_searching=bool(self._stages.sampler.cut_searches))
            batch = _Batch(self._settings, self._stages, shares, meter, iter(sources), self._idle_encoders)
            try:
                yield from batch.reports(self._stop)
                self._stop.end()
                batch.finish()
            except (GeneratorExit, KeyboardInterrupt, SystemExit):
                batch.write_finished()
                raise
            finally:
                batch.close()


def _published(on_progress: OnProgress | None) -> AbstractContextManager[OnProgress]:
    from pipeline.execution.ray.metrics import published

    return published(on_progress)


class _Batch:
    """The driver's loop: it admits sources, starts readers, feeds encoders, and writes finished videos."""

    def __init__(
        self,
        settings: Execution,
        stages: Stages,
        shares: Shares,
        meter: ProgressMeter,
        sources: Iterator[Source],
        idle_encoders: IdleEncoders | None,
    ) -> None:
        import ray

        from pipeline.execution.ray.autoscaling import Demand
        from pipeline.execution.ray.batch_dispatch import BatchQueue
        from pipeline.execution.ray.encoder_pool import EncoderPool
        from pipeline.execution.ray.identification import Identities
        from pipeline.execution.ray.reader_pool import ReaderPool

        self._ray = ray
        self._settings = settings
        self._stages = stages
        self._shares = shares
        self._began_on_gpus = shares.encoder_gpus > 0
        self._meter = meter
        self._ledger = Ledger(stages.sink, rows_per_write=settings.rows_per_write)
        self._identities = Identities(settings, stages.fetching, sources)
        self._readers: ReaderPool[RayVideo] = ReaderPool(settings, shares)
        self._encoders: EncoderPool[PendingBatch] = EncoderPool(stages.encoder, shares, settings.retries, idle_encoders)
        self._demand = Demand(settings, is_enabled=not is_own_ray())
        self._admitted: deque[RayVideo] = deque()
        self._queue = BatchQueue(self._encoders, settings.batch_frames)
        self._cluster_checked_at = time.monotonic()
        meter.resize(readers=shares.readers, encoders=shares.encoders)

    def reports(self, stop: StopRequest) -> Iterator[VideoReport]:
        with stop.watched():
            yield from self._reports(stop)

    def _reports(self, stop: StopRequest) -> Iterator[VideoReport]:
        if is_own_ray():
            for source, identity in self._identities.first_here():
                self._add_identified(source, identity)
        while True:
            if stop.is_requested:
                self._accept(stop)
            readers = max(self._shares.readers, self._demand.max_videos)
            self._identities.submit_more(waiting=len(self._admitted), readers=readers)
            self._read_more()
            self._queue.dispatch()
            self._fit_cluster()
            videos_left = len(self._readers) + len(self._admitted)
            self._demand.request(videos_left=videos_left, shares=self._shares)
            is_listening = self._queue.is_short
            self._fail_stalled(is_listening=is_listening)
            pending_references = self._pending_references(is_listening=is_listening)
            has_work = self._has_work and not stop.is_over
            yield from self._ledger.reports(all_written=not has_work)
            self._meter.ended(self._ledger.counts, encoders=self._encoders.times, frames_waiting=self._queue.frames)
            if not has_work:
                return
            if not pending_references and not (self._admitted and self._readers.has_room):
                raise ExecutionError("videos are left, but there is no encoder for them")
            ready, _ = self._ray.wait(pending_references, num_returns=1, timeout=_TICK_SECONDS, fetch_local=False)
            for reference in ready:
                self._collect(reference)

    @property
    def _has_work(self) -> bool:
        """Whether any video is under way; encoders that are still loading their model do not count."""
        return bool(
            self._admitted
            or self._identities.pending_references
            or self._readers.pending_references
            or self._queue.frames
            or self._encoders.is_busy
        )

    def _accept(self, stop: StopRequest) -> None:
        self._identities.stop()
        self._admitted.clear()
        stop.accept(self._meter.active_count)

    def finish(self) -> None:
        """Do the batch's task on the model, if an encoder has loaded it."""
        if self._stages.model_task is not None:
            self._encoders.run(self._stages.model_task)

    def write_finished(self) -> None:
        """Write the pending rows of finished videos when the batch is interrupted."""
        try:
            self._ledger.flush()
        except MomentseekError as error:
            _log.warning("the rows of the last videos are not in the index: %s; run the batch again", error)

    def close(self) -> None:
        if self._ray.is_initialized():
            self._demand.close()
            self._identities.close()
            self._readers.close()
            self._encoders.close()

    def _pending_references(self, *, is_listening: bool) -> list[Any]:
        """The references to wait for, most urgent first; without readers while enough frames wait for an encoder."""
        readers = self._readers.pending_references if is_listening else []
        return [*self._encoders.pending_references(), *self._identities.pending_references, *readers]

    def _collect(self, reference: Any) -> None:
        if reference in self._readers:
            self._collect_read(reference)
        elif reference in self._identities:
            for source, identity in self._identities.collect(reference):
                self._add_identified(source, identity)
        else:
            for batch, result in self._encoders.collect(reference):
                self._add_encoded(batch, result)

    def _add_identified(self, source: Source, identity: Identity | Failure) -> None:
        if isinstance(identity, Failure):
            self._ledger.fail(source, identity)
        elif self._ledger.admit(source, identity.video_id):
            self._admitted.append(RayVideo(source, identity, tries_left=self._settings.retries))

    def _read_more(self) -> None:
        if not self._admitted:
            return
        self._encoders.start()
        self._meter.load_model()
        if self._encoders.preprocessing is None:
            return
        reading = Reading(
            decoder=self._stages.decoder,
            sampler=self._stages.sampler,
            preprocessing=self._encoders.preprocessing,
            batch_frames=self._settings.batch_frames,
            fetching=self._stages.fetching,
            splitter=self._stages.splitter,
        )
        self._readers.prepare(reading)
        while self._admitted and self._readers.has_room:
            video = self._admitted.popleft()
            self._ledger.begin(video.video_id)
            video.number = self._meter.begin(public_name(video.source.uri))
            self._readers.submit(video)

    def _collect_read(self, reference: Any) -> None:
        read = self._readers.collect(reference)
        if read is None:
            return
        video, pixels, item = read
        if isinstance(item, BatchTimes | VideoEnd) and (gap := video.gap_before(item)) is not None:
            self._readers.cancel(video)
            item = Lost(gap)
        if isinstance(item, Started):
            video.node_id = item.node_id
        elif isinstance(item, BatchTimes):
            self._queue.add(video.add_read(item, pixels))
            self._meter.advance(video.number, item)
        elif isinstance(item, VideoEnd):
            video.end = item
            self._meter.add_reading(video.number, item)
            self._finish_if_complete(video)
        else:
            self._fail(video, item)

    def _add_encoded(self, batch: PendingBatch, result: Vectors | Failure | Lost | None) -> None:
        if batch.video.is_over:
            return
        if result is None:
            self._queue.add(batch)
        elif isinstance(result, Failure | Lost):
            self._readers.cancel(batch.video)
            self._fail(batch.video, result)
        else:
            batch.video.add_encoded(batch.number, result)
            self._finish_if_complete(batch.video)

    def _finish_if_complete(self, video: RayVideo) -> None:
        if video.end is None or not video.is_encoded:
            return
        self._meter.end(video.number)
        try:
            frames = video.embeddings.assembled(video.video_id, video.end)
        except (ValueError, OSError) as error:
            self._ledger.fail(video.source, failure_of(error, video.source.uri), video.video_id)
        else:
            self._ledger.finish(video.source, frames, video.end)

    def _fail(self, video: RayVideo, reason: Failure | Lost) -> None:
        """End a video, or restart it if its work was merely lost."""
        if isinstance(reason, Lost) and video.tries_left > 0:
            name = public_name(video.source.uri)
            about = {"uri": name, "video_id": video.video_id}
            _log.warning("%r is restarted: %s", name, reason.problem, extra=about)
            self._restart(video, tries_left=video.tries_left - 1)
            return
        if isinstance(reason, Failure) and reason.fatal is not None:
            raise reason.fatal
        self._abandon(video)
        self._identities.resubmit(self._ledger.fail(video.source, reason, video.video_id))

    def _restart(self, video: RayVideo, *, tries_left: int) -> None:
        self._abandon(video)
        self._admitted.appendleft(RayVideo(video.source, video.identity, tries_left=tries_left))

    def _abandon(self, video: RayVideo) -> None:
        video.is_over = True
        self._meter.end(video.number)
        self._queue.drop(lambda batch: batch.video is video)

    def _fail_stalled(self, *, is_listening: bool) -> None:
        for source, failure in self._identities.stalled():
            self._ledger.fail(source, failure)
        for video in self._readers.stalled(is_listening=is_listening):
            problem = f"its reader gave no sign of life for {self._settings.stall_seconds:g} s"
            self._fail(video, Failure(problem, is_path_specific=True))

    def _fit_cluster(self) -> None:
        """Adapt to nodes that have joined or left the cluster."""
        if time.monotonic() - self._cluster_checked_at < _CLUSTER_SECONDS:
            return
        self._cluster_checked_at = time.monotonic()
        shares = current_shares(self._settings, began_on_gpus=self._began_on_gpus)
        if shares is None or shares == self._shares:
            return
        _log.info("the cluster has changed: %s", shares)
        self._shares = shares
        self._meter.resize(readers=shares.readers, encoders=shares.encoders)
        self._encoders.resize(shares)
        for video in self._readers.resize(shares):
            self._restart(video, tries_left=video.tries_left)
