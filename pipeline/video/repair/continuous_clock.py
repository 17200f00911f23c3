"""Makes a stream's clock continuous if it restarts or jumps: joined transport streams, DVD titles, recordings.

Only containers made for broadcast and discs may do so (FFmpeg's flag AVFMT_TS_DISCONT); in all others a gap is a gap.
The thresholds are those of the ffmpeg command (`ts_discontinuity_detect` in ffmpeg_demux.c): if a decoding time is more
than 10 s away from its expected value, or goes back by more than 0.1 s, the stream continues one frame after the last
packet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from pipeline.video.probe import Probe, open_stream

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

__all__ = ["ContinuousClock", "has_one_clock"]

_MOST_SECONDS_OFF = 10
_MOST_SECONDS_BACK = Fraction(1, 10)
# Codecs reorder at most 16 pictures (H.264, HEVC).
_MOST_HELD = 17
# The parser returns a picture when the next one starts, and marks both as damaged if packets between them are lost.
_MOST_CALLED_CORRUPT = 2
_DEFAULT_RATE = 25


class ContinuousClock:
    """Shifts the times of packets so that their decoding times are continuous.

    Args:
        probed: The probed properties of the stream.
        on_break: Called at each break with the time at which the stream continues and the offset of its clock in
            seconds.
    """

    def __init__(self, probed: Probe, on_break: Callable[[Fraction, Fraction], None]) -> None:
        self._may_break = probed.may_restart
        self._time_base = probed.info.time_base
        self._start_time = probed.info.start_time
        self._frame = (probed.frame_duration or Fraction(1, _DEFAULT_RATE)) / self._time_base
        self._on_break = on_break
        self._offset = 0
        self._last: int | None = None
        self._next = 0
        self._held: list[Packet[VideoStream]] = []
        self._excused: list[Packet[VideoStream]] = []

    def continuous(self, packets: Iterable[Packet[VideoStream]]) -> Iterator[Packet[VideoStream]]:
        """Pass on packets in the same order, with times on one continuous clock.

        Args:
            packets: Packets of the video stream, in decoding order.
        """
        if not self._may_break:
            yield from packets
            return
        for packet in packets:
            has_broken = self._shift(packet)
            if has_broken:
                self._excused = self._held[-_MOST_CALLED_CORRUPT:]
            is_over = has_broken or not packet.size or len(self._held) >= _MOST_HELD
            if is_over or not self._must_hold():
                yield from self._released()
            self._held.append(packet)
            if not self._must_hold():
                yield from self._released()
        yield from self._released()

    def is_damaged(self, packet: Packet[VideoStream]) -> bool:
        """Whether a packet is damaged; intact ones that FFmpeg marks at joins of transport streams are not."""
        return packet.is_corrupt and not any(packet is excused for excused in self._excused)

    def _must_hold(self) -> bool:
        """Whether a break at the next packet would affect the packets read last."""
        last = self._held[-_MOST_CALLED_CORRUPT:]
        return any(packet.is_corrupt for packet in last) or any(map(self._is_ahead, self._held))

    def _shift(self, packet: Packet[VideoStream]) -> bool:
        if packet.dts is None:
            if packet.pts is not None:
                packet.pts += self._offset
            return False
        dts = packet.dts + self._offset
        has_broken = self._last is not None and self._is_break(dts, self._last)
        if has_broken:
            off = dts - self._next
            self._offset -= off
            dts = self._next
            self._on_break(dts * self._time_base - self._start_time, off * self._time_base)
        packet.dts = dts
        if packet.pts is not None:
            packet.pts += self._offset
        self._last, self._next = dts, dts + round(packet.duration or self._frame)
        return has_broken

    def _is_break(self, dts: int, last: int) -> bool:
        is_far = abs(dts - self._next) * self._time_base > _MOST_SECONDS_OFF
        return is_far or (last - dts) * self._time_base > _MOST_SECONDS_BACK

    def _is_ahead(self, packet: Packet[VideoStream]) -> bool:
        """Whether FFmpeg gave a picture before a break the time of the packet after it."""
        if packet.pts is None or packet.dts is None:
            return False
        return (packet.pts - packet.dts) * self._time_base > _MOST_SECONDS_OFF

    def _released(self) -> Iterator[Packet[VideoStream]]:
        """Yield the packets held back until it was known whether the clock breaks after them."""
        for packet in self._held:
            if packet.pts is not None and packet.dts is not None and self._is_ahead(packet):
                moved = packet.pts + self._offset
                packet.pts = moved if packet.dts <= moved <= self._next else None
            yield packet
        self._held.clear()


def has_one_clock(probed: Probe) -> bool:
    """Read all packets of a stream to test whether its clock has no breaks, so that seeks are possible."""
    import av

    if not probed.may_restart:
        return True
    breaks: list[Fraction] = []
    clock = ContinuousClock(probed, lambda time, _: breaks.append(time))
    with open_stream(probed, reads_all=False) as (container, stream):
        try:
            for _ in clock.continuous(container.demux(stream)):
                if breaks:
                    return False
        except av.FFmpegError:
            return False
    return not breaks
