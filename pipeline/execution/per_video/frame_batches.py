"""Decode, sample and preprocess a video into batches of frames for the encoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Protocol

import numpy as np

from pipeline.encode.protocol import Preprocessing
from pipeline.errors import VideoDecodeError
from pipeline.execution.per_video.lost_time import LostTime
from pipeline.execution.per_video.messages import BatchTimes, FrameBatch, Heartbeat, Images, VideoEnd
from pipeline.execution.stage_times import timed
from pipeline.io.media import check_state
from pipeline.io.settings import Fetching
from pipeline.sampling.protocol import FrameSampler, SamplingPass
from pipeline.sampling.shots.detector import CutDetection
from pipeline.sampling.shots.search import find_shots
from pipeline.types import Frame, Share, VideoInfo
from pipeline.video.protocol import VideoDecoder, VideoStream

__all__ = ["Reading", "ResultSplitter", "merged_cuts", "sampled_batches"]

# Counted, not timed: if a reader dies, Ray continues with the stream of its successor at the same item number.
_HEARTBEAT_PIXELS = 2**29
_HEARTBEAT_FRAMES = 1000


class ResultSplitter(Protocol):
    """Splits a sampling pass that serves several samplings into the result of each."""

    def known_cuts(self, sampling: SamplingPass) -> Mapping[CutDetection, Sequence[Fraction]]:
        """Return the cuts that the pass has found already, by the search that they replace."""

    def shares(
        self, sampling: SamplingPass, cuts: Mapping[CutDetection, Sequence[Fraction]], lost_time: LostTime
    ) -> tuple[Share, ...]:
        """Return the result of each sampling after the pass.

        Args:
            sampling: The pass.
            cuts: The cuts found by each search.
            lost_time: The intervals in which frames were lost.
        """


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The stages that turn a video into batches of frames.

    Attributes:
        decoder: Opens the video.
        sampler: Chooses frames.
        preprocessing: Converts a frame to the encoder's input.
        batch_frames: Maximum number of frames in a batch.
        first_batch_frames: Number of frames in the first batch of a video. Each later batch has twice as many as the
            one before, up to `batch_frames`, so that the encoder need not wait until a short video is decoded. None
            means `batch_frames`.
        fetching: Settings for checking whether remote videos have changed.
        splitter: Splits the sampler's passes into several results; None if each has a single one.
    """

    decoder: VideoDecoder
    sampler: FrameSampler
    preprocessing: Preprocessing
    batch_frames: int
    first_batch_frames: int | None = None
    fetching: Fetching = field(default_factory=Fetching)
    splitter: ResultSplitter | None = None


@timed
def sampled_batches(
    reading: Reading, path: str, state: str | None = None
) -> Iterator[FrameBatch | Heartbeat | VideoEnd]:
    """Decode, sample and preprocess a video: yield its batches in order, then one `VideoEnd`.

    Heartbeats are yielded when a batch takes long. The same video always gives the same items in the same order,
    however fast it is read.

    Args:
        reading: The stages.
        path: Path or URI of the video.
        state: State of the file when it was identified; it must be the same at the end. None skips this check.

    Raises:
        VideoError: The video cannot be used.
        ConfigError: The sampler cannot work with these settings.
    """
    with reading.decoder.open(path) as stream:
        sampling = reading.sampler.begin(stream.info)
        buffer = _BatchBuffer(reading, stream.info)
        lost_time = LostTime(stream)
        frames_seen = 0
        until_heartbeat = _heartbeat_frames(stream.info)
        for frame in stream.frames(skip=reading.sampler.skip, grid=reading.sampler.grid):
            frames_seen += 1
            lost_time.see(frame)
            # Many frames may be decoded, but not sampled, between two points of a coarse grid.
            if stream.frames_decoded >= until_heartbeat:
                until_heartbeat = stream.frames_decoded + _heartbeat_frames(stream.info)
                yield Heartbeat()
            for chosen in sampling.feed(frame):
                yield from buffer.add(chosen, decoded=frame.time)
        for chosen in sampling.finish():
            yield from buffer.add(chosen, decoded=stream.end_time)
        yield from buffer.flush(decoded=stream.end_time)
        if buffer.count == 0:
            raise VideoDecodeError(path, f"{frames_seen} frames were decoded and none was sampled")
        end = VideoEnd(
            info=stream.info,
            duration_seconds=float(stream.end_time),
            covered_seconds=stream.covered_seconds,
            frames_decoded=stream.frames_decoded,
            frames_seen=frames_seen,
            batches=buffer.batches,
            cuts_seconds=None,
            seen_until_seconds=_seen_until(sampling, lost_time),
            damage=stream.damage,
            step_seconds=_seconds(sampling.step),
        )
        if state is not None:
            check_state(path, state, reading.fetching)
        # The search for cuts comes last, so that the encoder works on the frames meanwhile.
        yield from _with_cuts(end, stream, reading, sampling, lost_time)


def _with_cuts(
    end: VideoEnd,
    stream: VideoStream,
    reading: Reading,
    sampling: SamplingPass,
    lost_time: LostTime,
) -> Iterator[Heartbeat | VideoEnd]:
    """Search for the cuts that are not known yet, and yield the end of the video with all cuts."""
    cut_searches, splitter = reading.sampler.cut_searches, reading.splitter
    known = {} if splitter is None else splitter.known_cuts(sampling)
    searches = [search for search in cut_searches if search not in known]
    if searches:
        # A search yields nothing until it is done; it takes no longer than the video itself.
        yield Heartbeat(silence_seconds=end.duration_seconds)
    found = {search: find_shots(stream, search) for search in searches}
    cuts = {**known, **{search: shots.boundaries for search, shots in found.items()}}
    yield replace(
        end,
        cuts_seconds=merged_cuts(sampling.cuts, [cuts[search] for search in cut_searches]),
        frames_decoded=end.frames_decoded + sum(shots.frames_decoded for shots in found.values()),
        shares=() if splitter is None else splitter.shares(sampling, cuts, lost_time),
    )


def _heartbeat_frames(info: VideoInfo) -> int:
    """Number of decoded frames between heartbeats: some seconds of work, and far less than a stall."""
    return max(1, min(_HEARTBEAT_FRAMES, _HEARTBEAT_PIXELS // (info.width * info.height)))


def merged_cuts(cuts: Sequence[Fraction] | None, found: Sequence[Sequence[Fraction]]) -> tuple[float, ...] | None:
    """Merge the cuts that a sampling pass has found with those of searches; None if neither was made."""
    if cuts is None and not found:
        return None
    return tuple(sorted({float(cut) for group in (cuts or (), *found) for cut in group}))


def _seen_until(sampled: SamplingPass, lost_time: LostTime) -> tuple[float, ...] | None:
    """The time until which each sampled frame stays on screen, without intervals in which frames were lost."""
    until = sampled.seen_until
    return None if until is None else tuple(map(float, lost_time.clipped(until, sampled.step)))


def _seconds(time: Fraction | None) -> float | None:
    return None if time is None else float(time)


class _BatchBuffer:
    """Collects sampled frames into batches; `count` and `batches` are the totals so far."""

    def __init__(self, reading: Reading, info: VideoInfo) -> None:
        self._reading = reading
        self._info = info
        self._images: Images | None = None
        self._size = min(reading.first_batch_frames or reading.batch_frames, reading.batch_frames)
        self._pts: list[int] = []
        self._times: list[Fraction] = []
        self.count = 0
        self.batches = 0

    def add(self, frame: Frame, *, decoded: Fraction) -> Iterator[FrameBatch]:
        image = self._reading.preprocessing(frame)
        if self._images is None:
            # One array from the start: frames that are collected one by one would be in memory twice.
            self._images = np.empty((self._size, *image.shape), np.uint8)
        self._images[len(self._pts)] = image
        self._pts.append(frame.pts)
        self._times.append(frame.time)
        self.count += 1
        if len(self._pts) == self._size:
            yield from self.flush(decoded=decoded)

    def flush(self, *, decoded: Fraction) -> Iterator[FrameBatch]:
        if self._images is None:
            return
        times = BatchTimes(
            number=self.batches,
            pts=np.array(self._pts, np.int64),
            times_seconds=np.array([float(time) for time in self._times], np.float64),
            decoded_seconds=float(decoded),
            duration_seconds=self._info.duration_seconds,
        )
        batch = FrameBatch(images=self._images[: len(times)], times=times)
        self._images, self._pts, self._times = None, [], []
        self._size = min(2 * self._size, self._reading.batch_frames)
        self.batches += 1
        yield batch
