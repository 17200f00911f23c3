"""Code that runs in Ray's worker processes: identifying and decoding videos, and encoding frames.

A video travels as pairs of objects: pixels, which go on to an encoder's process without being fetched by the driver,
and what the driver needs to know of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pipeline.encode.device_faults import RecoveringEncoder, fault_of
from pipeline.encode.protocol import Encoder, Preprocessing
from pipeline.errors import MomentseekError
from pipeline.execution.per_video.frame_batches import Reading, sampled_batches
from pipeline.execution.per_video.messages import (
    BatchTimes,
    Failure,
    FrameBatch,
    Heartbeat,
    Images,
    Vectors,
    VideoEnd,
    encoded,
    failure_of,
)
from pipeline.execution.stage_times import Stopwatch
from pipeline.io.settings import Fetching
from pipeline.video import Identity, identify

__all__ = ["DeviceFault", "Encoded", "EncoderProcess", "Started", "identified", "read_video"]

_PLACES_AT_ONCE = 4


def identified(paths: list[str], fetching: Fetching) -> list[Identity | Failure]:
    """Which videos are at these places, or why that cannot be said.

    Several are asked at once, since remote ones are mostly waited for.
    """
    with ThreadPoolExecutor(_PLACES_AT_ONCE) as threads:
        return list(threads.map(lambda path: _identified(path, fetching), paths))


def _identified(path: str, fetching: Fetching) -> Identity | Failure:
    try:
        return identify(path, fetching)
    except Exception as error:  # noqa: BLE001 - errors travel as values, so that no retry hides them
        return failure_of(error, path)


def read_video(
    reading: Reading, path: str, state: str
) -> Iterator[Images | BatchTimes | Started | Heartbeat | VideoEnd | Failure | None]:
    """Read a video as pairs: (pixels, times) a batch, (None, heartbeat) in between, at last (None, end or failure)."""
    # Until the first one a task may wait for a processor; from then on it works.
    yield None
    yield Started(_node_id())
    try:
        for item in sampled_batches(reading, path, state):
            if isinstance(item, FrameBatch):
                yield item.images
                yield item.times
            else:
                yield None
                yield item
    except Exception as error:  # noqa: BLE001 - errors travel as values, so that no retry hides them
        yield None
        yield failure_of(error, path)


@dataclass(frozen=True)
class Started:
    """A reader's first sign of life.

    Attributes:
        node_id: Where it is, and where its frames will lie.
    """

    node_id: str


def _node_id() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


@dataclass(frozen=True)
class Encoded:
    """What came of a call of an encoder.

    Attributes:
        results: The embeddings of each batch, or why it has none.
        busy_seconds: Time in the model.
        node_id: Where the encoder is.
    """

    results: list[Vectors | Failure]
    busy_seconds: float
    node_id: str | None = None


@dataclass(frozen=True)
class DeviceFault:
    """The encoder's process can encode no more, whatever it is given.

    Attributes:
        problem: What its device said.
    """

    problem: str

    @classmethod
    def of(cls, error: Exception) -> DeviceFault:
        """What an error says, in a line."""
        return cls(" ".join(str(error).split()) or type(error).__name__)


class EncoderProcess:
    """An encoder in a process of its own, which Ray starts again after it died; the model is opened when it is needed.

    Args:
        encoder: Which.
        on_gpu: Whether it holds a GPU; without one it computes on all processors of its machine.
    """

    def __init__(self, encoder: Encoder, *, on_gpu: bool) -> None:
        if not on_gpu:
            # Ray allows one thread a processor held. Readers mostly wait for the encoder, so idle ones are lent to it.
            os.environ["OMP_NUM_THREADS"] = str(len(os.sched_getaffinity(0)))
        self._encoder = encoder
        self._model: RecoveringEncoder | None = None

    def preprocessing(self) -> Preprocessing | MomentseekError:
        """What readers need of the model; an error of ours travels as a value, since Ray would wrap it."""
        try:
            return self._encoder.preprocessing()
        except MomentseekError as error:
            return error

    def open(self) -> MomentseekError | DeviceFault | str:
        """Load the weights, and say on which node; an error of ours, or a fault of the device, travels as a value."""
        try:
            self._opened()
        except MomentseekError as error:
            return error
        except Exception as error:
            if fault_of(error) is None:
                raise
            return DeviceFault.of(error)
        return _node_id()

    def encode(self, *batches: Images) -> Encoded | DeviceFault:
        """Embed the batches of several videos, views of Ray's shared memory, in one call.

        A fault of the device is nobody's failure: it travels as a value of its own.
        """
        model, watch = self._opened(), Stopwatch()
        with watch:
            results = encoded(model, batches)
        if model.fault is not None:
            return DeviceFault.of(model.fault)
        return Encoded(results, watch.seconds, _node_id())

    def _opened(self) -> RecoveringEncoder:
        if self._model is None:
            self._model = RecoveringEncoder(self._encoder.open())
        return self._model
