"""The PyAV backend: opens videos and decodes them with exact times, skipping damaged parts."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from pipeline.io.media import open_media
from pipeline.io.settings import Fetching
from pipeline.optional_packages import require
from pipeline.types import Frame, Grid, Skip
from pipeline.types.packets import Packets, Span
from pipeline.video.coverage import Coverage
from pipeline.video.picture import Scaler
from pipeline.video.probe import Probe, open_stream, probe
from pipeline.video.pyav.frame import PyAVFrame
from pipeline.video.pyav.packet_list import PacketUses, listed_packets, uses_within
from pipeline.video.pyav.packet_reader import PictureReader
from pipeline.video.repair.continuous_clock import has_one_clock
from pipeline.video.repair.keyframe_flags import FalseKeyframeError
from pipeline.video.sound import SoundChunk, sound_within
from pipeline.video.stream import ProbedStream

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

__all__ = ["PyAVDecoder", "PyAVStream"]

_SKIPS: dict[Skip, Literal["NONREF", "NONKEY"]] = {
    Skip.NON_REFERENCE: "NONREF",
    Skip.DRAFT: "NONREF",
    Skip.NON_KEY: "NONKEY",
}
# A seek may land after its target. Then a seek further back is tried, and finally the file is decoded from its start.
_SEEKS_BACK_SECONDS = (0, 15)
# If times come from the order of pictures, they are correct only from the second keyframe on.
_SEEKS_BACK_BY_ORDER_SECONDS = (15, 60)
_MIN_SEEK_SECONDS = 1
# Maximum number of consecutive pictures with the time of the previous one that do not count as damage.
_MAX_REPEATS = 1


@dataclass(frozen=True)
class PyAVDecoder:
    """The default `VideoDecoder`.

    Attributes:
        threads: Number of threads of FFmpeg's decoder; more than one makes single videos faster, but not a batch.
        fetching: Settings for reading remote videos.
    """

    threads: int = 1
    fetching: Fetching = field(default_factory=Fetching)

    @property
    def name(self) -> str:
        """The backend's name in the configuration."""
        return "pyav"

    def open(self, path: str) -> PyAVStream:
        """Open a file, local or remote.

        Raises:
            VideoNotFoundError: There is no readable regular file at `path`.
            VideoReadError: The server or store fails or stalls.
            UnsupportedVideoError: The file is not a video, or has no video stream with a known codec.
            MissingPackageError: PyAV is not installed.
        """
        require("decoding videos", "av")
        media = open_media(path, self.fetching)
        try:
            return PyAVStream(probe(media), self.threads)
        except BaseException:
            media.close()
            raise


class PyAVStream(ProbedStream):
    """A `VideoStream` decoded by PyAV.

    Each call of `frames` opens the file separately, so several calls may run at the same time. A `grid` saves decoding
    if the whole stream is read and `skip` is `Skip.NOTHING`; see `gop_plan`.

    Args:
        probed: The checked file.
        threads: Number of threads of FFmpeg's decoder.
    """

    def __init__(self, probed: Probe, threads: int) -> None:
        super().__init__(probed, Scaler(probed.orientation))
        self._threads = threads
        self._packets: Packets | None = None
        self._has_listed = False
        self._can_seek: bool | None = None
        self._has_false_flags = False

    def packets(self) -> Packets | None:
        """List all packets, without decoding any; None if the file has no presentation times.

        Raises:
            ValueError: The stream is closed.
        """
        self._check_open()
        if not self._has_listed:
            self._packets, self._has_listed = listed_packets(self._probe), True
        return self._packets

    def frames_within(self, spans: Sequence[Span], *, skip: Skip = Skip.NOTHING) -> Iterator[Frame]:
        """Iterate over the frames whose time is within one of the spans; only the packets that they need are decoded.

        Args:
            spans: Time spans in order; they must not touch each other.
            skip: Which frames may be left out; not `Skip.NON_KEY`.

        Raises:
            ValueError: The stream is closed, or `packets` cannot list its packets.
        """
        self._check_open()
        packets = self.packets()
        if packets is None:
            raise ValueError(f"{self.info.uri!r}: its packets cannot be listed; read all its frames")
        return self._tracked(self._within(packets, spans, skip))

    @property
    def pixel_aspect(self) -> Fraction:
        """Aspect ratio of the upright picture's pixels: width divided by height.

        Raises:
            VideoError: The file no longer exists or has changed.
        """
        self._check_open()
        with open_stream(self._probe, reads_all=False) as (_, stream):
            ratio = Fraction(stream.sample_aspect_ratio or 1)
        coded = ratio if ratio > 0 else Fraction(1)
        return 1 / coded if self._probe.orientation.is_transposed else coded

    def sound(self, start: Fraction, end: Fraction) -> Iterator[SoundChunk]:
        """Read the sound of [start, end); see `sound_within`.

        Raises:
            VideoError: The file no longer exists or has changed, or the server or store fails or stalls.
            ValueError: The stream is closed.
        """
        self._check_open()
        return sound_within(self._probe, start, end)

    def _shown(self, start: Fraction | None, end: Fraction | None, skip: Skip, grid: Grid | None) -> Generator[Frame]:
        if start is not None or end is not None or skip is not Skip.NOTHING or self._probe.order is not None:
            grid = None
        if self._probe.order is not None:
            # The time of a picture depends on the number of pictures before it, so none may be skipped.
            skip = Skip.NOTHING
        for seek_to in self._seek_targets(start):
            coverage = self._coverage = Coverage(self._probe.frame_duration)
            if start is None or seek_to is None:
                decoded = self._read(skip, coverage, grid)
            else:
                decoded = self._after_seek(seek_to, start, skip, coverage)
            first = next(decoded, None)
            if seek_to is None or (first is not None and start is not None and first.time <= start):
                break
            decoded.close()
        ahead = [] if first is None else [first]
        yield from self._counted(itertools.chain(ahead, decoded), coverage, start, end)

    def _within(self, packets: Packets, spans: Sequence[Span], skip: Skip) -> Generator[Frame]:
        coverage = self._coverage = Coverage(self._probe.frame_duration)
        remaining = iter(spans)
        span = next(remaining, None)
        for frame in self._read(skip, coverage, None, uses_within(packets, spans)):
            while span is not None and frame.time >= span[1]:
                span = next(remaining, None)
            if span is not None and frame.time >= span[0]:
                coverage.give(frame.time, frame.duration)
                yield frame

    def _seek_targets(self, start: Fraction | None) -> Iterator[Fraction | None]:
        """Yield times to seek to, best first, and finally None for the beginning of the file."""
        for back in _SEEKS_BACK_SECONDS if self._probe.order is None else _SEEKS_BACK_BY_ORDER_SECONDS:
            if start is not None and start - back > _MIN_SEEK_SECONDS and self._is_seekable():
                yield start - back
        yield None

    def _is_seekable(self) -> bool:
        """Whether times after a seek are the same as when the file is read from its beginning."""
        if self._can_seek is None:
            order = self._probe.order
            self._can_seek = has_one_clock(self._probe) if order is None else not order.is_counted
        return self._can_seek

    def _after_seek(self, seek_to: Fraction, start: Fraction, skip: Skip, coverage: Coverage) -> Generator[PyAVFrame]:
        """Decode from a keyframe near `seek_to` on; no frames if there is no keyframe up to `start`."""
        try:
            yield from self._decoded(skip, coverage, None, seek_to=seek_to, start=start)
        except FalseKeyframeError:
            return

    def _read(
        self, skip: Skip, coverage: Coverage, grid: Grid | None, uses: PacketUses | None = None
    ) -> Generator[PyAVFrame]:
        """Decode from the beginning; after a false keyframe, decode again and continue after the last frame."""
        last: Fraction | None = None
        try:
            for frame in self._decoded(skip, coverage, grid, uses):
                last = frame.time
                yield frame
        except FalseKeyframeError:
            self._has_false_flags = True
        else:
            return
        coverage.forget_damage()
        for frame in self._decoded(skip, coverage, grid, uses):
            if last is None or frame.time > last:
                yield frame

    def _decoded(
        self,
        skip: Skip,
        coverage: Coverage,
        grid: Grid | None,
        uses: PacketUses | None = None,
        *,
        seek_to: Fraction | None = None,
        start: Fraction | None = None,
    ) -> Generator[PyAVFrame]:
        """Decode frames in presentation order, with strictly increasing times.

        Raises:
            FalseKeyframeError: Decoding started at a packet that is not a keyframe; the frames so far are correct.
        """
        with open_stream(self._probe, reads_all=self._probe.reads_all) as (container, stream):
            stream.codec_context.thread_count = self._threads
            stream.codec_context.thread_type = "SLICE" if self._threads == 1 else "AUTO"
            if skip in _SKIPS:
                stream.codec_context.skip_frame = _SKIPS[skip]
            if skip is Skip.DRAFT or (grid is not None and grid.tolerance > 0):
                stream.codec_context.options |= {"skip_loop_filter": "all"}
            if seek_to is not None and not self._seek(container, stream, seek_to):
                return
            reader = PictureReader(
                self._probe,
                container,
                stream,
                coverage,
                grid=grid,
                uses=uses,
                start=start,
                has_false_flags=self._has_false_flags,
            )
            last: PyAVFrame | None = None
            repeats = 0
            for picture in reader.pictures():
                coverage.frames_decoded += 1
                frame = self._frame(picture, last)
                if picture.is_corrupt:
                    coverage.note("a picture is damaged and was decoded as well as possible", frame.time)
                if last is not None and frame.time <= last.time:
                    # Two pictures with the same time are common, and no time is lost: only the first one is given out.
                    repeats = repeats + 1 if frame.time == last.time else _MAX_REPEATS + 1
                    if repeats > _MAX_REPEATS:
                        coverage.note("a picture was dropped because it is not later than the one before", frame.time)
                elif frame.time >= 0:
                    yield frame
                    last, repeats = frame, 0
            reader.check_end()

    def _seek(self, container: InputContainer, stream: VideoStream, time: Fraction) -> bool:
        import av

        ticks = (time + self.info.start_time) / self.info.time_base
        try:
            container.seek(int(ticks), stream=stream)
        except av.FFmpegError:
            self._probe.media.raise_failure()
            return False
        return True

    def _frame(self, picture: av.VideoFrame, last: PyAVFrame | None) -> PyAVFrame:
        time_base = self.info.time_base
        duration = picture.duration * time_base if picture.duration else None
        pts = picture.pts if picture.pts is not None else picture.dts
        if pts is None:
            # Without any timestamp, the frame is assumed to follow the one before it.
            step = (last.duration if last is not None else None) or self._probe.frame_duration or Fraction(1, 25)
            zero = self.info.start_time / time_base
            pts = round(zero) if last is None else last.pts + max(1, round(step / time_base))
        width, height = self._probe.orientation.upright_size(picture.width, picture.height)
        time = pts * time_base - self.info.start_time
        return PyAVFrame(pts, time, duration, width, height, picture, self._scaler)
