"""The base class of the OpenCV and decord streams, and the packet times that they use."""

from __future__ import annotations

import heapq
from abc import abstractmethod
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.errors import UnsupportedVideoError
from pipeline.types import Frame, Grid, Skip
from pipeline.types.packets import Packets, Span
from pipeline.video.coverage import Coverage
from pipeline.video.picture import Scaler
from pipeline.video.probe import Probe, open_stream, reason_of
from pipeline.video.repair.continuous_clock import ContinuousClock
from pipeline.video.repair.keyframe_flags import KeyframeFlags
from pipeline.video.stream import ProbedStream

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

__all__ = ["PacketTime", "Picture", "WholePictureStream", "packet_times"]

# More than any codec lets pictures be out of order: H.264 and HEVC allow 16.
_REORDERED_PACKETS = 64


class PacketTime(NamedTuple):
    """The presentation time and duration of a picture.

    Attributes:
        pts: Ticks of the stream's time base.
        duration: Ticks; 0 where the container does not say.
        is_keyframe: Whether it decodes alone.
    """

    pts: int
    duration: int
    is_keyframe: bool

    def seconds(self, probed: Probe) -> tuple[Fraction, Fraction | None]:
        """Time on the playback clock, and duration."""
        time_base, zero = probed.info.time_base, probed.info.start_time
        return self.pts * time_base - zero, self.duration * time_base if self.duration else None


def packet_times(probed: Probe, *, takes_discarded: bool) -> Generator[PacketTime]:
    """Read the times of all pictures in presentation order, in bounded memory.

    Args:
        probed: The vetted file.
        takes_discarded: Whether pictures that an edit list leaves out are passed over; otherwise they are refused.

    Raises:
        UnsupportedVideoError: The container does not say when its pictures are shown, or leaves some out, or its clock
            restarts or leaps.
    """
    import av

    uri = probed.info.uri

    def refuse(time: Fraction, off: Fraction) -> None:
        problem = f"its clock is off by {float(off):.3f} s from {float(time):.3f} s on; use decoding.backend: pyav"
        raise UnsupportedVideoError(uri, problem)

    clock = ContinuousClock(probed, refuse)
    ahead: list[PacketTime] = []
    with open_stream(probed, reads_all=False) as (container, stream):
        flags = KeyframeFlags(stream.codec_context, marks_keyframes=probed.marks_keyframes)
        try:
            for packet in clock.mended(container.demux(stream)):
                if packet.size == 0 or (packet.is_discard and takes_discarded):
                    continue
                if packet.is_discard:
                    raise UnsupportedVideoError(
                        uri, "its edit list leaves frames out, which this decoder shows; use decoding.backend: pyav"
                    )
                ticks = _shown_at(packet, probed, stream)
                if ticks is None:
                    raise UnsupportedVideoError(
                        uri, "its packets do not say when they are shown; use decoding.backend: pyav"
                    )
                flags.is_taken_back(packet)
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
    # Packets that are decoded in the order in which they are shown have one time only.
    is_reordered = probed.order.is_packed or stream.codec_context.has_b_frames
    return None if is_reordered else packet.dts


Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class WholeFrame:
    """A `Frame` whose picture was converted to RGB already, at its own size.

    Attributes:
        pts: Ticks of the stream's time base.
        time: Seconds on the playback clock.
        duration: Seconds that it is shown, where the container says.
        is_keyframe: Whether it decodes alone.
        picture: uint8 (H, W, 3) RGB, turned as the scaler takes it.
        scaler: Scales it and turns it upright.
    """

    pts: int
    time: Fraction
    duration: Fraction | None
    is_keyframe: bool
    picture: Picture = field(repr=False)
    scaler: Scaler = field(repr=False)

    @property
    def width(self) -> int:
        """Pixels across, upright."""
        return self.scaler.orientation.upright_size(self.picture.shape[1], self.picture.shape[0])[0]

    @property
    def height(self) -> int:
        """Pixels down, upright."""
        return self.scaler.orientation.upright_size(self.picture.shape[1], self.picture.shape[0])[1]

    def rgb(self, width: int | None = None, height: int | None = None) -> Picture:
        """The picture, upright: uint8 (height, width, 3) RGB, read-only."""
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
        probed: The vetted file.
        scaler: Turns what the library gives out upright.
    """

    _unexplained = "the library gives no reason; try decoding.backend: pyav"

    @abstractmethod
    def _pictures(self, coverage: Coverage) -> Generator[tuple[PacketTime, Picture]]:
        """All pictures with their exact times, in order; damage is noted in `coverage`."""

    def packets(self) -> Packets | None:
        """None: this backend leaves no packet undecoded."""
        return None

    def frames_within(self, spans: Sequence[Span], *, skip: Skip = Skip.NOTHING) -> Iterator[Frame]:
        """Not supported by this backend.

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
