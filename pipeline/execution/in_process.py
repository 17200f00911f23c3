"""Executor that indexes one video after another in this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager

from pipeline.encode.device_faults import RecoveringEncoder
from pipeline.errors import ExecutionError, MomentseekError
from pipeline.execution.ledger.ledger import Ledger
from pipeline.execution.per_video.embedding_buffer import EmbeddingBuffer
from pipeline.execution.per_video.frame_batches import Reading, sampled_batches
from pipeline.execution.per_video.messages import (
    Failure,
    FrameBatch,
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
# Frames of a video's first batch: a processor encodes 8 images nearly as fast, each, as 32 (docs/design/scale.md).
_FIRST_BATCH_FRAMES = 8


class InProcessExecutor:
    """An `Executor` that runs in this process: the simplest one, and the easiest to debug.

    One thread decodes while another encodes. The first video is decoded while the model is loaded, up to the same
    number of batches ahead.

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
        worker.finish()

    def _index(self, source: Source, ledger: Ledger, worker: _Worker) -> None:
        try:
            identity = identify(source.uri, self._stages.fetching)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one video becomes its report
            ledger.fail(source, failure_of(error, source.uri))
            return
        if not ledger.admit(source, identity.video_id):
            return
        with worker.decoded(source, identity) as items, self._stop.watched():
            try:
                result = worker.embedded(source, identity, items)
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
        self._reading: Reading | None = None
        self._model: RecoveringEncoder | None = None
        self._encode_watch, self._load_watch = Stopwatch(), Stopwatch()
        self.meter = meter
        meter.resize(readers=1, encoders=1)

    @property
    def times(self) -> EncoderTimes:
        return EncoderTimes(load_seconds=self._load_watch.seconds, busy_seconds=self._encode_watch.seconds)

    @contextmanager
    def decoded(self, source: Source, identity: Identity) -> Iterator[Iterator[FrameBatch | Heartbeat | VideoEnd]]:
        """Begin to decode a video, and load the model meanwhile if no video has needed it before."""
        batches = sampled_batches(self._begun(), source.uri, identity.state)
        with closing(prefetched(batches, ahead=_BATCHES_AHEAD)) as items:
            self._open()
            yield items

    def embedded(
        self, source: Source, identity: Identity, items: Iterator[FrameBatch | Heartbeat | VideoEnd]
    ) -> tuple[FrameEmbeddings, VideoEnd] | Failure:
        """Encode what is decoded of a video."""
        model = self._open()
        buffer = EmbeddingBuffer()
        number = self.meter.begin(public_name(source.uri))
        try:
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

    def finish(self) -> None:
        """Do the batch's task on the model, if it was loaded."""
        task = self._stages.model_task
        if task is not None and self._model is not None:
            task.take(self._model.run(task.work))

    def _begun(self) -> Reading:
        if self._reading is None:
            stages = self._stages
            self.meter.load_model()
            with _opening_errors():
                preprocessing = stages.encoder.preprocessing()
            self._reading = Reading(
                decoder=stages.decoder,
                sampler=stages.sampler,
                preprocessing=preprocessing,
                batch_frames=self._batch_frames,
                first_batch_frames=_FIRST_BATCH_FRAMES,
                fetching=stages.fetching,
                splitter=stages.splitter,
            )
        return self._reading

    def _open(self) -> RecoveringEncoder:
        if self._model is None:
            # In this thread, where Ctrl-C interrupts it; the decoder is the one that has another thread.
            with self._load_watch, _opening_errors():
                self._model = RecoveringEncoder(self._stages.encoder.open())
        return self._model

    def _check_stop(self) -> None:
        if self._stop.is_requested:
            self._stop.accept(1)
        if self._stop.is_over:
            self._stop.end()


@contextmanager
def _opening_errors() -> Iterator[None]:
    """Convert unexpected errors of an encoder that is being opened."""
    try:
        yield
    except MomentseekError:
        raise
    except Exception as error:
        raise ExecutionError(f"unexpected {type(error).__name__} while opening the encoder: {error}") from error


def _device_failure(fault: Exception | None) -> Failure | None:
    """Make the failure that ends the batch if the device is unusable: every later video would fail, too."""
    if fault is None:
        return None
    problem = (
        f"the encoder's device is unusable in this process: {' '.join(str(fault).split())}. Run the batch again, which"
        " skips finished videos, or use Ray (execution.executor=ray), which starts a new process by itself"
    )
    return Failure(problem, ExecutionError(problem))
