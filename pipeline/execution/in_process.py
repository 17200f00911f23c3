"""Executor that indexes one video after another in this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing

from pipeline.encode.device_faults import RecoveringEncoder
from pipeline.errors import ExecutionError, MomentseekError
from pipeline.execution.ledger.ledger import Ledger
from pipeline.execution.per_video.embedding_buffer import EmbeddingBuffer
from pipeline.execution.per_video.frame_batches import Reading, sampled_batches
from pipeline.execution.per_video.messages import (
    Failure,
    Heartbeat,
    VideoEnd,
    encoded,
    failure_of,
)
from pipeline.execution.prefetch import prefetched
from pipeline.execution.progress import EncoderTimes, OnProgress, ProgressMeter
from pipeline.execution.protocol import Stages
from pipeline.execution.settings import Execution
from pipeline.execution.stage_times import Stopwatch
from pipeline.execution.stopping import StopRequest
from pipeline.types import FrameEmbeddings, Source, VideoReport
from pipeline.uris import public_name
from pipeline.video import Identity, identify

__all__ = ["InProcessExecutor"]

_BATCHES_AHEAD = 2


class InProcessExecutor:
    """An `Executor` that runs in this process: the simplest one, and the easiest to debug.

    One thread decodes while another encodes.

    A crash of the process in one video ends the whole batch; Ray's executor survives it.

    Args:
        settings: Only `batch_frames` is used.
        stages: The stages that each video passes through.
        on_progress: Called with the progress of the batch.
        stop: A request to end the batch, which may be made while it runs.
    """

    def __init__(
        self,
        settings: Execution,
        stages: Stages,
        *,
        on_progress: OnProgress | None = None,
        stop: StopRequest | None = None,
    ) -> None:
        self._stop = stop or StopRequest()
        self._settings = settings
        self._stages = stages
        self._on_progress = on_progress

    def run(self, sources: Iterable[Source]) -> Iterator[VideoReport]:
        """Index all sources in order; each one ends in exactly one report.

        Raises:
            ConfigError: The settings of two stages do not fit together.
            EncoderError: The model cannot be used. Includes WeightsUnavailableError.
            MomentIndexError: The index cannot be used.
            ExecutionError: The encoder's device broke, and only another process can use it again.
            BaseException: The error of the stop request.
        """
        ledger = Ledger(self._stages.sink, rows_per_write=1)
        meter = ProgressMeter(self._on_progress, is_searching=bool(self._stages.sampler.cut_searches))
        worker = _Worker(self._stages, self._settings.batch_frames, meter, self._stop)
        for source in sources:
            self._index(source, ledger, worker)
            yield from ledger.reports(all_written=True)
            worker.meter.ended(ledger.counts, encoders=worker.times)
            self._stop.end()

    def _index(self, source: Source, ledger: Ledger, worker: _Worker) -> None:
        try:
            identity = identify(source.uri, self._stages.fetching)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one video becomes its report
            ledger.fail(source, failure_of(error, source.uri))
            return
        if not ledger.admit(source, identity.video_id):
            return
        worker.open()
        with self._stop.watched():
            try:
                result = worker.embedded(source, identity)
            except Exception as error:  # noqa: BLE001 - whatever goes wrong with one video becomes its report
                result = failure_of(error, source.uri)
            if not isinstance(result, Failure):
                ledger.finish(source, *result)
                ledger.flush()
                return
        if result.fatal is not None:
            raise result.fatal
        # Sources are processed one at a time, so no other source has to be admitted again.
        ledger.fail(source, result, identity.video_id)


class _Worker:
    """Decodes and encodes videos; the model is opened for the first video that needs it."""

    def __init__(self, stages: Stages, batch_frames: int, meter: ProgressMeter, stop: StopRequest) -> None:
        self._stages = stages
        self._stop = stop
        self._batch_frames = batch_frames
        self._opened: tuple[Reading, RecoveringEncoder] | None = None
        self._encode_watch, self._load_watch = Stopwatch(), Stopwatch()
        self.meter = meter
        meter.resize(readers=1, encoders=1)

    @property
    def times(self) -> EncoderTimes:
        return EncoderTimes(load_seconds=self._load_watch.seconds, busy_seconds=self._encode_watch.seconds)

    def open(self) -> tuple[Reading, RecoveringEncoder]:
        if self._opened is None:
            stages = self._stages
            self.meter.load_model()
            try:
                with self._load_watch:
                    preprocessing, model = stages.encoder.preprocessing(), RecoveringEncoder(stages.encoder.open())
            except MomentseekError:
                raise
            except Exception as error:
                raise ExecutionError(f"unexpected {type(error).__name__} while opening the encoder: {error}") from error
            reading = Reading(
                decoder=stages.decoder,
                sampler=stages.sampler,
                preprocessing=preprocessing,
                batch_frames=self._batch_frames,
                fetching=stages.fetching,
                splitter=stages.splitter,
            )
            self._opened = reading, model
        return self._opened

    def embedded(self, source: Source, identity: Identity) -> tuple[FrameEmbeddings, VideoEnd] | Failure:
        reading, model = self.open()
        buffer = EmbeddingBuffer()
        number = self.meter.begin(public_name(source.uri))
        try:
            batches = sampled_batches(reading, source.uri, identity.state)
            with closing(prefetched(batches, ahead=_BATCHES_AHEAD)) as items:
                for item in items:
                    self._check_stop()
                    if isinstance(item, Heartbeat):
                        continue
                    if isinstance(item, VideoEnd):
                        self.meter.add_reading(number, item)
                        return buffer.assembled(identity.video_id, item), item
                    with self._encode_watch:
                        [result] = encoded(model, [item.images])
                    if isinstance(result, Failure):
                        return _device_failure(model.fault) or result
                    buffer.add(item.times, result)
                    self.meter.advance(number, item.times, encoders=self.times)
        finally:
            self.meter.end(number)
        raise AssertionError("sampled_batches ends with a VideoEnd")

    def _check_stop(self) -> None:
        if self._stop.is_requested:
            self._stop.accept(1)
        if self._stop.is_over:
            self._stop.end()


def _device_failure(fault: Exception | None) -> Failure | None:
    """Make the failure that ends the batch if the device is unusable: every later video would fail, too."""
    if fault is None:
        return None
    problem = (
        f"the encoder's device is unusable in this process: {' '.join(str(fault).split())}. Run the batch again, which"
        " skips finished videos, or use Ray (execution.executor=ray), which starts a new process by itself"
    )
    return Failure(problem, ExecutionError(problem))
