"""The base classes of the OpenCV and decord backends, and the packet times that they use."""

from __future__ import annotations

import heapq
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.errors import UnsupportedVideoError
from pipeline.io.media import open_media
from pipeline.io.settings import Fetching
from pipeline.types import Frame, Grid, Skip
from pipeline.types.packets import Packets, Span
from pipeline.video.coverage import Coverage
from pipeline.video.picture import Scaler
from pipeline.video.probe import Probe, open_stream, probe, reason_of
from pipeline.video.repair.continuous_clock import ContinuousClock
from pipeline.video.repair.keyframe_flags import KeyframeFlags
from pipeline.video.stream import ProbedStream

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

__all__ = ["PacketTime", "Picture", "WholePictureStream", "open_checked", "packet_times"]

# More than the reordering of any codec: H.264 and HEVC allow 16 pictures.
_REORDERED_PACKETS = 64


class PacketTime(NamedTuple):
    """The presentation time and duration of a picture.

    Attributes:
        pts: Ticks of the stream's time base.
        duration: Ticks; 0 if the container does not state it.
        is_keyframe: Whether the picture can be decoded without others.
    """

    pts: int
    duration: int
    is_keyframe: bool

    def seconds(self, probed: Probe) -> tuple[Fraction, Fraction | None]:
        """Return the time on the playback clock and the duration, in seconds."""
        time_base, zero = probed.info.time_base, probed.info.start_time
        return self.pts * time_base - zero, self.duration * time_base if self.duration else None


def packet_times(probed: Probe, *, takes_discarded: bool) -> Generator[PacketTime]:
    """Read the times of all pictures in presentation order, in bounded memory.

    Args:
        probed: The vetted file.
        takes_discarded: Whether to skip pictures that an edit list leaves out; otherwise they raise an error.

    Raises:
        UnsupportedVideoError: The container has no presentation times or leaves pictures out, or its clock restarts or
            jumps.
    """
    import av

    uri = probed.info.uri

    def raise_break(time: Fraction, off: Fraction) -> None:
        problem = f"its clock is off by {float(off):.3f} s from {float(time):.3f} s on; use decoding.backend: pyav"
        raise UnsupportedVideoError(uri, problem)

    clock = ContinuousClock(probed, raise_break)
    ahead: list[PacketTime] = []
    with open_stream(probed, reads_all=False) as (container, stream):
        flags = KeyframeFlags(stream.codec_context, marks_keyframes=probed.marks_keyframes)
        try:
            for packet in clock.continuous(container.demux(stream)):
                if packet.size == 0 or (packet.is_discard and takes_discarded):
                    continue
                if packet.is_discard:
                    raise UnsupportedVideoError(
                        uri, "its edit list leaves out frames that this decoder shows; use decoding.backend: pyav"
                    )
                ticks = _shown_at(packet, probed, stream)
                if ticks is None:
                    raise UnsupportedVideoError(
                        uri, "its packets have no presentation times; use decoding.backend: pyav"
                    )
                flags.remove_false_flag(packet)
                heapq.heappush(ahead, PacketTime(ticks, packet.duration or 0, packet.is_keyframe))
                if len(ahead) > _REORDERED_PACKETS:
                    yield heapq.heappop(ahead)
        except av.FFmpegError as error:
            raise UnsupportedVideoError(
                uri, f"its packets cannot be read ({reason_of(error)}); use decoding.backend: pyav"
            ) from error
    while ahead:
        yield heapq.heappop(ahead)


def _shown_at(packet: Packet[VideoStream], probed: Probe, stream: VideoStream) -> int | None:
    if probed.order is None:
        return packet.pts
    # If no pictures are reordered, presentation times are equal to decoding times.
    is_reordered = probed.order.is_packed or stream.codec_context.has_b_frames
    return None if is_reordered else packet.dts


Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class WholeFrame:
    """A `Frame` whose picture has already been converted to RGB, at its own size.

    Attributes:
        pts: Ticks of the stream's time base.
        time: Seconds on the playback clock.
        duration: Seconds for which it is shown; None if the container does not state it.
        is_keyframe: Whether it can be decoded without other frames.
        picture: uint8 (H, W, 3) RGB, in the orientation that the scaler expects.
        scaler: Scales the picture and turns it upright.
    """

    pts: int
    time: Fraction
    duration: Fraction | None
    is_keyframe: bool
    picture: Picture = field(repr=False)
    scaler: Scaler = field(repr=False)

    @property
    def width(self) -> int:
        """Width of the upright picture in pixels."""
        return self.scaler.orientation.upright_size(self.picture.shape[1], self.picture.shape[0])[0]

    @property
    def height(self) -> int:
        """Height of the upright picture in pixels."""
        return self.scaler.orientation.upright_size(self.picture.shape[1], self.picture.shape[0])[1]

    def rgb(self, width: int | None = None, height: int | None = None) -> Picture:
        """Return the upright picture: uint8 (height, width, 3) RGB, read-only."""
        if (width or self.width, height or self.height) == (self.width, self.height):
            return self.scaler.orientation.upright(self.picture)
        import av

        return self.scaler.rgb(av.VideoFrame.from_ndarray(self.picture, format="rgb24"), width, height)

    def thumbnail(self) -> npt.NDArray[np.uint8]:
        """Scale the picture to a thumbnail: uint8 (3, 36, 64) YCbCr."""
        import av

        return self.scaler.thumbnail(av.VideoFrame.from_ndarray(self.picture, format="rgb24"))


class WholePictureStream(ProbedStream):
    """A `VideoStream` that always decodes every frame from the beginning.

    Args:
        probed: The checked file.
        threads: Number of threads of FFmpeg's decoder.
        scaler: Scales the library's pictures and turns them upright.
    """

    _unexplained = "the library gives no reason; try decoding.backend: pyav"

    def __init__(self, probed: Probe, threads: int, scaler: Scaler) -> None:
        super().__init__(probed, scaler)
        self._threads = threads

    @abstractmethod
    def check(self) -> None:
        """Check that the library decodes the file correctly.

        Raises:
            UnsupportedVideoError: It does not.
        """

    @abstractmethod
    def _pictures(self, coverage: Coverage) -> Generator[tuple[PacketTime, Picture]]:
        """Yield all pictures in order with their exact times, and record damage in `coverage`."""

    def packets(self) -> Packets | None:
        """Return None, since this backend always decodes all packets."""
        return None

    def frames_within(self, spans: Sequence[Span], *, skip: Skip = Skip.NOTHING) -> Iterator[Frame]:
        """Raise an error: this backend does not support it.

        Raises:
            ValueError: Always.
        """
        del spans, skip
        raise ValueError(f"{self.info.uri!r}: this backend decodes every frame; use decoding.backend: pyav")

    def _shown(self, start: Fraction | None, end: Fraction | None, skip: Skip, grid: Grid | None) -> Generator[Frame]:
        del skip, grid
        coverage = self._coverage = Coverage(self._probe.frame_duration)
        yield from self._counted(self._timed(coverage), coverage, start, end)

    def _timed(self, coverage: Coverage) -> Generator[WholeFrame]:
        last: Fraction | None = None
        for packet, picture in self._pictures(coverage):
            coverage.frames_decoded += 1
            time, duration = packet.seconds(self._probe)
            if last is None or time > last:
                yield WholeFrame(packet.pts, time, duration, packet.is_keyframe, picture, self._scaler)
                last = time
        coverage.check_end(None if self._probe.has_other_ends else self._probe.expected_end)


S = TypeVar("S", bound=WholePictureStream)


def open_checked(kind: Callable[[Probe, int], S], path: str, *, threads: int, fetching: Fetching) -> S:
    """Open a file for a backend that needs it on the local disk, and check that the backend decodes it correctly.

    Args:
        kind: Class of the stream.
        path: A path or URI.
        threads: Number of threads of FFmpeg's decoder.
        fetching: Settings for reading remote videos, which are copied to the disk.

    Raises:
        VideoNotFoundError: There is no readable regular file at `path`.
        VideoReadError: The server or store fails or stalls, or the file is too large to be copied.
        UnsupportedVideoError: The file is not a video, has no video stream, or the backend cannot decode it correctly.
    """
    media = open_media(path, fetching, needs_path=True)
    try:
        stream = kind(probe(media), threads)
        stream.check()
    except BaseException:
        media.close()
        raise
    return stream
