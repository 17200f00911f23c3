"""The times of a video's pictures, read from its packets without decoding: for libraries that do not tell them."""

from __future__ import annotations

import heapq
from collections.abc import Generator
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import UnsupportedVideoError
from pipeline.video.container import Probe, open_stream, reason_of
from pipeline.video.continuous_clock import ContinuousClock
from pipeline.video.keyframe_flags import KeyframeFlags

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

__all__ = ["PacketTime", "packet_times"]

# More than any codec lets pictures be out of order: H.264 and HEVC allow 16.
_REORDERED_PACKETS = 64


class PacketTime(NamedTuple):
    """When a picture is shown.

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
    """Times of all pictures in presentation order, in bounded memory.

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
