"""Decodes, samples and preprocesses a video into batches of frames for the encoder."""

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

# Not by the clock: Ray takes the place of what a reader that died has given from the stream of the next one, by number.
_HEARTBEAT_PIXELS = 2**29
_HEARTBEAT_FRAMES = 1000


class ResultSplitter(Protocol):
    """Splits a sampling pass that stands for several samplings into the result of each."""

    def known_cuts(self, sampling: SamplingPass) -> Mapping[CutDetection, Sequence[Fraction]]:
        """The cuts that need not be searched for, by the search that would find them."""

    def shares(
        self, sampling: SamplingPass, cuts: Mapping[CutDetection, Sequence[Fraction]], lost_time: LostTime
    ) -> tuple[Share, ...]:
        """The result of each sampling, once the pass is finished.

        Args:
            sampling: The pass.
            cuts: What every search for cuts has found.
            lost_time: The intervals in which frames were lost.
        """


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The stages that turn a video into batches of frames.

    Attributes:
        decoder: Opens it.
        sampler: Chooses frames.
        preprocessing: Makes the encoder's input of a frame.
        batch_frames: Most frames of a batch.
        fetching: How remote videos are asked whether they have changed.
        splitter: Splits the sampler's passes into several results; None if each has a single one.
    """

    decoder: VideoDecoder
    sampler: FrameSampler
    preprocessing: Preprocessing
    batch_frames: int
    fetching: Fetching = field(default_factory=Fetching)
    splitter: ResultSplitter | None = None


@timed
def sampled_batches(
    reading: Reading, path: str, state: str | None = None
) -> Iterator[FrameBatch | Heartbeat | VideoEnd]:
    """Decode, sample and preprocess a video: batches in order, then one `VideoEnd`.

    Between batches that are long in coming there are heartbeats. The same video gives the same items in the same order,
    however fast it is read.

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
        gathered = _BatchBuffer(reading, stream.info)
        lost_time = LostTime(stream)
        frames_seen = 0
        until_heartbeat = _heartbeat_frames(stream.info)
        for frame in stream.frames(skip=reading.sampler.skip, grid=reading.sampler.grid):
            frames_seen += 1
            lost_time.see(frame)
            # Between two points of a coarse grid many are decoded that are never seen.
            if stream.frames_decoded >= until_heartbeat:
                until_heartbeat = stream.frames_decoded + _heartbeat_frames(stream.info)
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
            batches=gathered.batches,
            cuts_seconds=None,
            seen_until_seconds=_seen_until(sampling, lost_time),
            damage=stream.damage,
            step_seconds=_seconds(sampling.step),
        )
        if state is not None:
            check_state(path, state, reading.fetching)
        # Last, so that the encoder has all frames meanwhile.
        yield from _with_cuts(end, stream, reading, sampling, lost_time)


def _with_cuts(
    end: VideoEnd,
    stream: VideoStream,
    reading: Reading,
    sampling: SamplingPass,
    lost_time: LostTime,
) -> Iterator[Heartbeat | VideoEnd]:
    """The end of a video whose frames were all given out, once the cuts that nobody knows have been looked for."""
    cut_searches, splitter = reading.sampler.cut_searches, reading.splitter
    known = {} if splitter is None else splitter.known_cuts(sampling)
    searches = [search for search in cut_searches if search not in known]
    if searches:
        # They say nothing until they are done; none is slower than the video itself.
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
    """After how many decoded frames a sign of life is given: some seconds of work, and far fewer than a stall."""
    return max(1, min(_HEARTBEAT_FRAMES, _HEARTBEAT_PIXELS // (info.width * info.height)))


def merged_cuts(cuts: Sequence[Fraction] | None, found: Sequence[Sequence[Fraction]]) -> tuple[float, ...] | None:
    """The cuts that a sampling came upon, and those that were looked for."""
    if cuts is None and not found:
        return None
    return tuple(sorted({float(cut) for some in (cuts or (), *found) for cut in some}))


def _seen_until(sampled: SamplingPass, lost_time: LostTime) -> tuple[float, ...] | None:
    """How long each frame is known to be on screen; nothing is known of what was lost."""
    until = sampled.seen_until
    return None if until is None else tuple(map(float, lost_time.clipped(until, sampled.step)))


def _seconds(time: Fraction | None) -> float | None:
    return None if time is None else float(time)


class _BatchBuffer:
    """Sampled frames on their way into a batch; `count` is how many there were in all, in `batches` so far."""

    def __init__(self, reading: Reading, info: VideoInfo) -> None:
        self._reading = reading
        self._info = info
        self._images: Images | None = None
        self._pts: list[int] = []
        self._times: list[Fraction] = []
        self.count = 0
        self.batches = 0

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
            number=self.batches,
            pts=np.array(self._pts, np.int64),
            times_seconds=np.array([float(time) for time in self._times], np.float64),
            decoded_seconds=float(decoded),
            duration_seconds=self._info.duration_seconds,
        )
        batch = FrameBatch(images=self._images[: len(times)], times=times)
        self._images, self._pts, self._times = None, [], []
        self.batches += 1
        yield batch
