"""Code that runs in Ray's worker processes: identifying and decoding videos, and encoding frames.

A video is transferred as pairs of objects: pixels, which go to an encoder's process without being fetched by the
driver, and the item that the driver needs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pipeline.encode.device_faults import RecoveringEncoder, fault_of
from pipeline.encode.protocol import Encoder, OpenEncoder, Preprocessing
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
from pipeline.processors import usable_processors
from pipeline.video import Identity, identify

__all__ = ["DeviceFault", "Encoded", "EncoderProcess", "Started", "identified", "read_video"]

_THREADS = 4


def identified(paths: list[str], fetching: Fetching) -> list[Identity | Failure]:
    """Identify the videos at these paths, or return why they cannot be identified.

    Several threads are used, since remote videos mostly wait for the network.
    """
    with ThreadPoolExecutor(_THREADS) as threads:
        return list(threads.map(lambda path: _identified(path, fetching), paths))


def _identified(path: str, fetching: Fetching) -> Identity | Failure:
    try:
        return identify(path, fetching)
    except Exception as error:  # noqa: BLE001 - errors are returned as values, so that no retry hides them
        return failure_of(error, path)


def read_video(
    reading: Reading, path: str, state: str
) -> Iterator[Images | BatchTimes | Started | Heartbeat | VideoEnd | Failure | None]:
    """Read a video as pairs: (pixels, times) for a batch, (None, heartbeat) in between, (None, end or failure) last."""
    # The first object shows that the task has got a processor and is working.
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
    except Exception as error:  # noqa: BLE001 - errors are returned as values, so that no retry hides them
        yield None
        yield failure_of(error, path)


@dataclass(frozen=True)
class Started:
    """A reader's first sign of life.

    Attributes:
        node_id: The node where it runs, and where its frames will be stored.
    """

    node_id: str


def _node_id() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


@dataclass(frozen=True)
class Encoded:
    """The result of a call of an encoder.

    Attributes:
        results: The embeddings of each batch, or why it has none.
        busy_seconds: Time in the model.
        node_id: The node where the encoder runs.
    """

    results: list[Vectors | Failure]
    busy_seconds: float
    node_id: str | None = None


@dataclass(frozen=True)
class DeviceFault:
    """A fault after which the encoder's process cannot encode any frames.

    Attributes:
        problem: The error of the device.
    """

    problem: str

    @classmethod
    def of(cls, error: Exception) -> DeviceFault:
        """Make a fault of an error, with its message in one line."""
        return cls(" ".join(str(error).split()) or type(error).__name__)


class EncoderProcess:
    """An encoder in a process of its own, which Ray restarts if it dies; the model is loaded on first use.

    Args:
        encoder: The encoder.
        on_gpu: Whether it reserves a GPU; otherwise it computes on all processors of its machine.
    """

    def __init__(self, encoder: Encoder, *, on_gpu: bool) -> None:
        if not on_gpu:
            # Ray sets one thread per reserved processor. Readers mostly wait for the encoder, so it may use theirs.
            os.environ["OMP_NUM_THREADS"] = str(usable_processors())
        self._encoder = encoder
        self._model: RecoveringEncoder | None = None

    def preprocessing(self) -> Preprocessing | MomentseekError:
        """Return the preprocessing for readers; a momentseek error is returned, since Ray would wrap it if raised."""
        try:
            return self._encoder.preprocessing()
        except MomentseekError as error:
            return error

    def open(self) -> MomentseekError | DeviceFault | str:
        """Load the weights and return the node id; a momentseek error or a fault of the device is returned, too."""
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

        A fault of the device is returned as a value of its own, since no video is to blame.
        """
        model, watch = self._opened(), Stopwatch()
        with watch:
            results = encoded(model, batches)
        if model.fault is not None:
            return DeviceFault.of(model.fault)
        return Encoded(results, watch.seconds, _node_id())

    def run(self, task: Callable[[OpenEncoder], Any]) -> Any:
        """Return the result of a task on the model."""
        return self._opened().run(task)

    def _opened(self) -> RecoveringEncoder:
        if self._model is None:
            self._model = RecoveringEncoder(self._encoder.open())
        return self._model
