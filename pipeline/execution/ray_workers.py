"""What runs in Ray's processes: identifying and reading videos, and encoding.

A video travels as pairs of objects: pixels, which go on to an encoder's process without being fetched by the driver,
and what the driver needs to know of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from pipeline.encode.protocol import Encoder, OpenEncoder, Preprocessing
from pipeline.errors import MomentseekError
from pipeline.execution.reading import Reading, sampled_batches
from pipeline.execution.stage_times import Stopwatch
from pipeline.execution.video_work import (
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
from pipeline.video import Fetching, Identity, identify

__all__ = ["EncoderProcess", "identified", "read_video"]

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
) -> Iterator[Images | BatchTimes | Heartbeat | VideoEnd | Failure | None]:
    """Read a video as pairs: (pixels, times) a batch, (None, heartbeat) in between, at last (None, end or failure)."""
    # Until the first one a task may wait for a processor; from then on it works.
    yield None
    yield Heartbeat()
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
        self._model: OpenEncoder | None = None

    def preprocessing(self) -> Preprocessing | MomentseekError:
        """What readers need of the model; an error of ours travels as a value, since Ray would wrap it."""
        try:
            return self._encoder.preprocessing()
        except MomentseekError as error:
            return error

    def open(self) -> MomentseekError | None:
        """Load the weights; an error of ours travels as a value."""
        try:
            self._opened()
        except MomentseekError as error:
            return error
        return None

    def encode(self, *parts: Images) -> tuple[list[Vectors | Failure], float]:
        """Embed the batches of several videos, views of Ray's shared memory, in one call; and the seconds it took."""
        model, watch = self._opened(), Stopwatch()
        with watch:
            results = encoded(model, parts)
        return results, watch.seconds

    def _opened(self) -> OpenEncoder:
        if self._model is None:
            self._model = self._encoder.open()
        return self._model
