"""Messages between readers, encoders and the ledger, and one encoder call for batches of several videos."""

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
        number: Which batch of the video.
        pts: int64 (N,) ticks.
        times_seconds: float64 (N,) on the playback clock.
        decoded_seconds: How far the decoder is.
        duration_seconds: Length of the video, where its container says.
        busy_seconds: Time that its reader has worked on the video until now.
        waited_seconds: Time that its reader has waited until somebody took what it had.
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
    """Preprocessed frames: uint8 (N, H, W, 3) RGB, contiguous, and their times."""

    images: Images
    times: BatchTimes

    def timed(self, *, busy_seconds: float, waited_seconds: float) -> FrameBatch:
        """The same, with its reader's times."""
        times = replace(self.times, busy_seconds=busy_seconds, waited_seconds=waited_seconds)
        return FrameBatch(images=self.images, times=times)

    def __repr__(self) -> str:
        return f"FrameBatch(images{self.images.shape})"


@dataclass(frozen=True, kw_only=True)
class VideoEnd:
    """The end of a video's batches: what was decoded, sampled and lost.

    Attributes:
        info: What its container says.
        duration_seconds: End of the last frame.
        covered_seconds: Length of what could be decoded.
        frames_decoded: Pictures that were decoded, for frames and for cuts.
        frames_seen: Those of them that the sampler looked at.
        batches: How many there were.
        cuts_seconds: Where each shot but the first begins, at a cut or within a gradual transition; None where cuts
            were not looked for.
        seen_until_seconds: For each sampled frame the last time at which the picture was the same; None where the
            sampling does not tell.
        step_seconds: As of `FrameEmbeddings`.
        damage: What could not be decoded, a sentence each.
        shares: What each of several samplings took, where there are several.
        busy_seconds: Time that its reader worked on it, the search for cuts included.
        waited_seconds: Time that its reader waited until somebody took what it had.
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
        """The same, with its reader's times."""
        return replace(self, busy_seconds=busy_seconds, waited_seconds=waited_seconds)


@dataclass(frozen=True)
class Heartbeat:
    """A sign of life of a reader that has no batch yet.

    Attributes:
        silence_seconds: How much longer than usual it may take until the next one.
    """

    silence_seconds: float = 0.0

    def timed(self, *, busy_seconds: float, waited_seconds: float) -> Heartbeat:  # noqa: ARG002 - a contract's names
        """The same: the next batch has the times."""
        return self


@dataclass(frozen=True)
class Lost:
    """The work on a video was lost for another reason than the video, such as a node that left.

    Attributes:
        problem: A sentence for people.
    """

    problem: str


@dataclass(frozen=True)
class Failure:
    """Why a video could not be processed.

    Attributes:
        problem: A sentence for people.
        fatal: The error that ends the whole batch, where it is one.
        is_of_place: Whether the same content at another place may be well.
    """

    problem: str
    fatal: MomentseekError | None = None
    is_of_place: bool = False


def failure_of(error: Exception, name: str) -> Failure:
    """Convert an exception to a failure of the video; an unexpected one is logged with its traceback."""
    # A model or a setting that cannot be used is the same for every video.
    if isinstance(error, ConfigError | EncoderError):
        return Failure(str(error), error)
    if isinstance(error, VideoError):
        return Failure(error.problem, is_of_place=isinstance(error, VideoReadError | VideoNotFoundError))
    if isinstance(error, MomentseekError):
        return Failure(str(error))
    _log.error(
        "unexpected error while working on %r", public_name(name), exc_info=error, extra={"uri": public_name(name)}
    )
    said = public_text(" ".join(str(error).split())) or "without a message"
    return Failure(f"unexpected {type(error).__name__}: {said}")


def _without_credentials(record: logging.LogRecord) -> bool:
    """Write out a traceback before a handler does, whose process may know nothing of what must not be shown."""
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
