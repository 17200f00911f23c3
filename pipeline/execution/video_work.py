"""The story of one video, in plain functions: what a worker does, and what is made of it afterwards."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pipeline.encode.protocol import OpenEncoder, Preprocessing
from pipeline.errors import ConfigError, EncoderError, MomentseekError, VideoDecodeError, VideoError
from pipeline.execution.stage_times import timed
from pipeline.sampling.protocol import FrameSampler
from pipeline.sampling.shot_search import Shots, find_shots
from pipeline.types import Frame, FrameEmbeddings, Source, Status, VideoInfo, VideoRecord, VideoReport
from pipeline.uris import public_name
from pipeline.video import Fetching, check_state
from pipeline.video.protocol import VideoDecoder

__all__ = [
    "BatchTimes",
    "Failure",
    "FrameBatch",
    "Heartbeat",
    "Lost",
    "Reading",
    "VideoEnd",
    "encoded",
    "failure_of",
    "largest_gap_seconds",
    "record_of",
    "report_of",
    "sampled_batches",
]

_log = logging.getLogger(__name__)

_HEARTBEAT_SECONDS = 5.0

Images = npt.NDArray[np.uint8]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a worker needs to turn a video into batches of frames.

    Attributes:
        decoder: Opens it.
        sampler: Chooses frames.
        preprocessing: Makes the encoder's input of a frame.
        batch_frames: Most frames of a batch.
        fetching: How remote videos are asked whether they have changed.
    """

    decoder: VideoDecoder
    sampler: FrameSampler
    preprocessing: Preprocessing
    batch_frames: int
    fetching: Fetching = field(default_factory=Fetching)


@dataclass(frozen=True, kw_only=True)
class BatchTimes:
    """When the frames of a batch are shown, and how far the video is.

    Attributes:
        pts: int64 (N,) ticks.
        times_seconds: float64 (N,) on the playback clock.
        decoded_seconds: How far the decoder is.
        duration_seconds: Length of the video, where its container says.
        busy_seconds: Time that its reader has worked on the video until now.
        waited_seconds: Time that its reader has waited until somebody took what it had.
    """

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
    """What is known of a video once all of it is decoded.

    Attributes:
        info: What its container says.
        duration_seconds: End of the last frame.
        covered_seconds: Length of what could be decoded.
        frames_decoded: Pictures that were decoded, for frames and for cuts.
        frames_seen: Those of them that the sampler looked at.
        cuts_seconds: First frame of each new shot; None where cuts were not looked for.
        seen_until_seconds: For each sampled frame the last time at which the picture was the same; None where the
            sampling does not tell.
        damage: What could not be decoded, a sentence each.
        busy_seconds: Time that its reader worked on it, the search for cuts included.
        waited_seconds: Time that its reader waited until somebody took what it had.
    """

    info: VideoInfo
    duration_seconds: float
    covered_seconds: float
    frames_decoded: int
    frames_seen: int
    cuts_seconds: tuple[float, ...] | None
    seen_until_seconds: tuple[float, ...] | None
    damage: tuple[str, ...]
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
    """The work on a video was lost through no fault of its own, as with a node that left.

    Attributes:
        problem: A sentence for people.
    """

    problem: str


@dataclass(frozen=True)
class Failure:
    """Why the work on a video ended early.

    Attributes:
        problem: A sentence for people.
        fatal: The error that ends the whole batch, where it is one.
    """

    problem: str
    fatal: MomentseekError | None = None


def failure_of(error: Exception, name: str) -> Failure:
    """What an exception means for the video; one that nobody foresaw is logged with its traceback."""
    # A model or a setting that cannot be used is the same for every video.
    if isinstance(error, ConfigError | EncoderError):
        return Failure(str(error), error)
    if isinstance(error, VideoError):
        return Failure(error.problem)
    if isinstance(error, MomentseekError):
        return Failure(str(error))
    _log.error(
        "unexpected error while working on %r", public_name(name), exc_info=error, extra={"uri": public_name(name)}
    )
    return Failure(f"unexpected {type(error).__name__}: {' '.join(str(error).split()) or 'without a message'}")


@timed
def sampled_batches(
    reading: Reading, path: str, state: str | None = None
) -> Iterator[FrameBatch | Heartbeat | VideoEnd]:
    """Decode, sample and preprocess a video: batches in order, then one `VideoEnd`.

    Between batches that are long in coming there are heartbeats.

    Args:
        reading: How.
        path: The video.
        state: Of its content when it was identified, which it must still be at the end; None to take what is there.

    Raises:
        VideoError: It cannot be used.
        ConfigError: The sampler cannot work so.
    """
    with reading.decoder.open(path) as stream:
        sampling = reading.sampler.begin(stream.info)
        gathered = _Gathered(reading, stream.info)
        frames_seen = 0
        heard = time.monotonic()
        for frame in stream.frames(skip=reading.sampler.skip, grid=reading.sampler.grid):
            frames_seen += 1
            if time.monotonic() - heard > _HEARTBEAT_SECONDS:
                heard = time.monotonic()
                yield Heartbeat()
            for chosen in sampling.feed(frame):
                yield from gathered.add(chosen, decoded=frame.time)
        for chosen in sampling.finish():
            yield from gathered.add(chosen, decoded=stream.end_time)
        yield from gathered.rest(decoded=stream.end_time)
        if gathered.count == 0:
            raise VideoDecodeError(path, f"{frames_seen} frames were decoded and none was sampled")
        end = VideoEnd(
            info=stream.info,
            duration_seconds=float(stream.end_time),
            covered_seconds=stream.covered_seconds,
            frames_decoded=stream.frames_decoded,
            frames_seen=frames_seen,
            cuts_seconds=_seconds(sampling.cuts),
            seen_until_seconds=_seconds(sampling.seen_until),
            damage=stream.damage,
        )
        if state is not None:
            check_state(path, state, reading.fetching)
        if reading.sampler.cut_searches:
            # They say nothing until they are done; none is slower than the video itself.
            yield Heartbeat(silence_seconds=end.duration_seconds)
        # Last, so that the encoder has all frames meanwhile.
        yield _with_cuts(end, [find_shots(stream, search) for search in reading.sampler.cut_searches])


def _with_cuts(end: VideoEnd, searches: Sequence[Shots]) -> VideoEnd:
    if not searches:
        return end
    cuts = {*(end.cuts_seconds or ()), *(float(cut) for shots in searches for cut in shots.cuts)}
    decoded = end.frames_decoded + sum(shots.frames_decoded for shots in searches)
    return replace(end, cuts_seconds=tuple(sorted(cuts)), frames_decoded=decoded)


def _seconds(times: Sequence[Fraction] | None) -> tuple[float, ...] | None:
    return None if times is None else tuple(map(float, times))


class _Gathered:
    """Sampled frames on their way into a batch; `count` is how many there were in all."""

    def __init__(self, reading: Reading, info: VideoInfo) -> None:
        self._reading = reading
        self._info = info
        self._images: Images | None = None
        self._pts: list[int] = []
        self._times: list[Fraction] = []
        self.count = 0

    def add(self, frame: Frame, *, decoded: Fraction) -> Iterator[FrameBatch]:
        image = self._reading.preprocessing(frame)
        if self._images is None:
            # Pictures that were kept one by one until the batch is full would be in memory twice.
            self._images = np.empty((self._reading.batch_frames, *image.shape), np.uint8)
        self._images[len(self._pts)] = image
        self._pts.append(frame.pts)
        self._times.append(frame.time)
        self.count += 1
        if len(self._pts) == self._reading.batch_frames:
            yield from self.rest(decoded=decoded)

    def rest(self, *, decoded: Fraction) -> Iterator[FrameBatch]:
        if self._images is None:
            return
        times = BatchTimes(
            pts=np.array(self._pts, np.int64),
            times_seconds=np.array([float(time) for time in self._times], np.float64),
            decoded_seconds=float(decoded),
            duration_seconds=self._info.duration_seconds,
        )
        batch = FrameBatch(images=self._images[: len(times)], times=times)
        self._images, self._pts, self._times = None, [], []
        yield batch


def encoded(model: OpenEncoder, parts: Sequence[Images]) -> list[Vectors | Failure]:
    """Embed the batches of several videos in one call; where that fails, each alone, so that only the bad one does."""
    images = parts[0] if len(parts) == 1 else np.concatenate(parts)
    try:
        vectors = model.encode_images(images)
    except Exception as error:  # noqa: BLE001 - whatever a model raises becomes the failure of a video
        if len(parts) == 1:
            return [Failure(f"its frames cannot be encoded: {error}" if str(error) else repr(error))]
        return [result for part in parts for result in encoded(model, [part])]
    ends = np.cumsum([len(part) for part in parts])
    return list(np.split(vectors, ends[:-1]))


def largest_gap_seconds(frames: FrameEmbeddings) -> float:
    """Longest stretch of the video that no sampled frame stands for, its beginning and its end included."""
    until = frames.times_seconds if frames.seen_until_seconds is None else frames.seen_until_seconds
    starts = np.concatenate([[0.0], until])
    ends = np.concatenate([frames.times_seconds, [frames.duration_seconds]])
    return float(max(0.0, (ends - starts).max()))


def record_of(names: tuple[str, ...], source: Source, frames: FrameEmbeddings, end: VideoEnd) -> VideoRecord:
    """What the library keeps of a video beside its embeddings."""
    return VideoRecord(
        video_id=frames.video_id,
        names=names,
        status=Status.PARTIAL if end.damage else Status.DONE,
        info=end.info,
        duration_seconds=end.duration_seconds,
        covered_seconds=end.covered_seconds,
        frame_count=len(frames),
        problem=_damage(end) if end.damage else None,
        metadata=source.metadata,
    )


def report_of(
    source: Source,
    record: VideoRecord,
    frames: FrameEmbeddings,
    *,
    end: VideoEnd | None,
    segments: int,
    elapsed_seconds: float,
) -> VideoReport:
    """The report on a video; `end` is None where it was not decoded this time."""
    return VideoReport(
        source=source,
        status=record.status,
        problem=record.problem,
        video_id=record.video_id,
        duration_seconds=record.duration_seconds,
        covered_seconds=record.covered_seconds,
        frames_decoded=0 if end is None else end.frames_decoded,
        frames_seen=0 if end is None else end.frames_seen,
        frames_sampled=len(frames),
        largest_gap_seconds=largest_gap_seconds(frames),
        segments=segments,
        elapsed_seconds=elapsed_seconds,
    )


def _damage(end: VideoEnd) -> str:
    shown = "; ".join(end.damage[:3])
    more = f"; and {len(end.damage) - 3} more" if len(end.damage) > 3 else ""
    covered, whole = f"{end.covered_seconds:.3f} s", f"{end.duration_seconds:.3f} s"
    # Where nothing is missing before the last frame, the file's own end is the damage, which `shown` tells.
    return f"{covered if covered == whole else f'{covered} of {whole}'} could be decoded: {shown}{more}"
