"""Messages between readers, encoders and the ledger, and an encoder call for batches of several videos."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline.encode.protocol import OpenEncoder
from pipeline.errors import (
    ConfigError,
    EncoderError,
    MomentseekError,
    VideoError,
    VideoNotFoundError,
    VideoReadError,
)
from pipeline.types import Share, VideoInfo
from pipeline.uris import public_name, public_text

__all__ = [
    "BatchTimes",
    "Failure",
    "FrameBatch",
    "Heartbeat",
    "Lost",
    "VideoEnd",
    "encoded",
    "failure_of",
]

_log = logging.getLogger(__name__)

Images = npt.NDArray[np.uint8]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class BatchTimes:
    """The times of a batch's frames, and the progress of its video.

    Attributes:
        number: Number of the batch within its video.
        pts: Timestamps as int64 (N,) ticks.
        times_seconds: Playback times as float64 (N,).
        decoded_seconds: Time up to which the video is decoded.
        duration_seconds: Length of the video according to its container, if known.
        busy_seconds: Time that the reader has worked on the video so far.
        waited_seconds: Time that the reader has waited for its consumer so far.
    """

    number: int
    pts: npt.NDArray[np.int64]
    times_seconds: npt.NDArray[np.float64]
    decoded_seconds: float
    duration_seconds: float | None
    busy_seconds: float = 0.0
    waited_seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.pts)


@dataclass(frozen=True, kw_only=True)
class FrameBatch:
    """Preprocessed frames as contiguous uint8 (N, H, W, 3) RGB, and their times."""

    images: Images
    times: BatchTimes

    def timed(self, *, busy_seconds: float, waited_seconds: float) -> FrameBatch:
        """Return a copy with the reader's times."""
        times = replace(self.times, busy_seconds=busy_seconds, waited_seconds=waited_seconds)
        return FrameBatch(images=self.images, times=times)

    def __repr__(self) -> str:
        return f"FrameBatch(images{self.images.shape})"


@dataclass(frozen=True, kw_only=True)
class VideoEnd:
    """The end of a video's batches: what was decoded, sampled and lost.

    Attributes:
        info: The container's information.
        duration_seconds: End of the last frame.
        covered_seconds: Total length of the parts that could be decoded.
        frames_decoded: Number of frames that were decoded, for sampling and for cuts.
        frames_seen: Number of those that the sampler examined.
        batches: Number of batches.
        cuts_seconds: The start of each shot but the first, at a cut or within a gradual transition; None if cuts were
            not searched for.
        seen_until_seconds: For each sampled frame, the last time at which the picture was the same; None if the
            sampling does not report it.
        step_seconds: See `FrameEmbeddings`.
        damage: What could not be decoded, one sentence each.
        shares: The result of each sampling, if there are several.
        busy_seconds: Time that the reader worked on the video, the search for cuts included.
        waited_seconds: Time that the reader waited for its consumer.
    """

    info: VideoInfo
    duration_seconds: float
    covered_seconds: float
    frames_decoded: int
    frames_seen: int
    batches: int
    cuts_seconds: tuple[float, ...] | None
    seen_until_seconds: tuple[float, ...] | None
    damage: tuple[str, ...]
    step_seconds: float | None = None
    shares: tuple[Share, ...] = ()
    busy_seconds: float = 0.0
    waited_seconds: float = 0.0

    def timed(self, *, busy_seconds: float, waited_seconds: float) -> VideoEnd:
        """Return a copy with the reader's times."""
        return replace(self, busy_seconds=busy_seconds, waited_seconds=waited_seconds)


@dataclass(frozen=True)
class Heartbeat:
    """A sign of life from a reader that has no batch yet.

    Attributes:
        silence_seconds: Additional time that may pass until the next sign of life.
    """

    silence_seconds: float = 0.0

    def timed(self, *, busy_seconds: float, waited_seconds: float) -> Heartbeat:  # noqa: ARG002 - of the protocol
        """Return the same heartbeat: the next batch carries the times."""
        return self


@dataclass(frozen=True)
class Lost:
    """Work on a video that was lost for a reason other than the video, such as a node that left.

    Attributes:
        problem: A message for people.
    """

    problem: str


@dataclass(frozen=True)
class Failure:
    """Why a video could not be processed.

    Attributes:
        problem: A message for people.
        fatal: The error that ends the whole batch, if it is one.
        is_path_specific: Whether the same content under another path may succeed.
    """

    problem: str
    fatal: MomentseekError | None = None
    is_path_specific: bool = False


def failure_of(error: Exception, name: str) -> Failure:
    """Convert an exception to a failure of the video; an unexpected one is logged with its traceback."""
    # A problem of the model or of a setting affects every video.
    if isinstance(error, ConfigError | EncoderError):
        return Failure(str(error), error)
    if isinstance(error, VideoError):
        return Failure(error.problem, is_path_specific=isinstance(error, VideoReadError | VideoNotFoundError))
    if isinstance(error, MomentseekError):
        return Failure(str(error))
    _log.error(
        "unexpected error while working on %r", public_name(name), exc_info=error, extra={"uri": public_name(name)}
    )
    message = public_text(" ".join(str(error).split())) or "without a message"
    return Failure(f"unexpected {type(error).__name__}: {message}")


def _without_credentials(record: logging.LogRecord) -> bool:
    """Format a traceback here, before a handler in another process does it without knowing which values are secret."""
    if record.exc_info and not record.exc_text:
        record.exc_text = public_text(logging.Formatter().formatException(record.exc_info))
    return True


_log.addFilter(_without_credentials)


def encoded(model: OpenEncoder, batches: Sequence[Images]) -> list[Vectors | Failure]:
    """Encode batches of several videos in one call; if it fails, encode each alone, so that only the bad one fails."""
    images = batches[0] if len(batches) == 1 else np.concatenate(batches)
    try:
        vectors = model.encode_images(images)
    except Exception as error:  # noqa: BLE001 - whatever a model raises becomes the failure of a video
        if len(batches) == 1:
            return [Failure(f"its frames cannot be encoded: {error}" if str(error) else repr(error))]
        return [result for batch in batches for result in encoded(model, [batch])]
    ends = np.cumsum([len(batch) for batch in batches])
    return list(np.split(vectors, ends[:-1]))
