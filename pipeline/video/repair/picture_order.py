"""Presentation times of streams whose container stores none: AVI, ASF, raw streams, Video for Windows in Matroska.

Such a container stores decoding times or none at all. Decoders return pictures in presentation order, so the n-th
picture gets the n-th time among the packets that contain a picture. The presentation times that FFmpeg's demuxer
derives from the order of the packets are right only if no picture is reordered.

MPEG-4 streams with packed B-frames (DivX, XviD: one packet contains two pictures and the next one is a placeholder)
have no usable times in any container; their pictures are counted. An empty chunk, written while the encoder waited for
a B-frame, does not shift the pictures; a longer gap does.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    import av
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

__all__ = ["FirstPackets", "PictureOrder", "StoredOrder", "is_raw"]

_WITHOUT_PRESENTATION_TIMES = frozenset({"avi", "asf"})
# The two forms that FFmpeg's mpeg4videodec.c reads.
_PACKED = re.compile(rb"\x00\x00\x01\xb2DivX\d+(?:Build|b)\d+p")
# In these codecs, all pictures that precede a P-picture in decoding order are shown before it.
_SIMPLE_REORDERING = frozenset({"mpeg4", "mpeg1video", "mpeg2video", "vc1", "wmv3", "rv30", "rv40"})
# An encoder that packs B-frames waits for at most as many pictures as it places between two P-pictures.
_MOST_WAITING_PICTURES = 8
_DEFAULT_RATE = 25


@dataclass(frozen=True, kw_only=True)
class StoredOrder:
    """The replacement of presentation times if a container stores no usable ones.

    Attributes:
        first_ticks: Time of the first picture, in ticks.
        offset: Ticks from a packet's decoding time to the time of a picture.
        step: Duration of a picture, in ticks.
        is_counted: Whether pictures are counted because the decoding times are unusable as well.
        is_packed: Whether packets contain two pictures.
    """

    first_ticks: int
    offset: int
    step: Fraction
    is_counted: bool
    is_packed: bool


class FirstPackets:
    """Inspects the first packets of a stream.

    Args:
        stream: The video stream.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        self._first: Packet[VideoStream] | None = None
        self._is_packed = self._has_packed_mark(stream.codec_context.extradata)

    def watched(self, packets: Iterable[Packet[VideoStream]]) -> Iterator[Packet[VideoStream]]:
        """Pass on packets and inspect them."""
        for packet in packets:
            if self._first is None and packet.size:
                self._first = packet
            self._is_packed = self._is_packed or self._has_packed_mark(bytes(packet))
            yield packet

    def order(self, container: InputContainer) -> StoredOrder | None:
        """Return the replacement of the presentation times; None if the container stores usable ones."""
        context = self._stream.codec_context
        is_timed = not (_stores_no_times(container, self._stream) and context.codec.reorder)
        if is_timed and not self._is_packed:
            return None
        has_no_times = is_raw(container)
        first = None if self._first is None or has_no_times else self._first.dts
        start = self._stream.start_time if is_timed else None
        shown = start if start is not None else first or 0
        return StoredOrder(
            first_ticks=shown,
            offset=0 if first is None else shown - first,
            step=self._step(has_no_times),
            is_counted=has_no_times or self._is_packed,
            is_packed=self._is_packed,
        )

    def _step(self, has_no_times: bool) -> Fraction:
        if has_no_times and self._first is not None and self._first.duration:
            return Fraction(self._first.duration)
        rate = self._stream.guessed_rate or self._stream.average_rate or _DEFAULT_RATE
        return 1 / (Fraction(rate) * Fraction(self._stream.time_base or 1))

    def _has_packed_mark(self, data: bytes | None) -> bool:
        return self._stream.codec_context.codec.canonical_name == "mpeg4" and bool(_PACKED.search(data or b""))


class PictureOrder:
    """Assigns times to pictures, in the order in which the decoder returns them.

    Packets wait for their pictures. A packet whose picture never appears (it was skipped or cannot be decoded) gives up
    its time as soon as a picture appears that is certainly shown later.

    Args:
        stored: The replacement of the stream's times.
        codec: FFmpeg's name of the codec.
    """

    def __init__(self, stored: StoredOrder, codec: str) -> None:
        self._stored = stored
        self._is_simple = codec in _SIMPLE_REORDERING
        self._times: list[int] = []
        self._waiting: dict[int, int] = {}
        self._given_up: dict[int, int] = {}
        self._count = 0
        self._next = Fraction(stored.first_ticks)
        self._lag = Fraction(0)
        self._last: int | None = None

    def send(self, packet: Packet[VideoStream]) -> None:
        """Register a packet before it is decoded; its pts is replaced by a number that identifies its picture."""
        ticks = self._ticks(packet)
        packet.pts = self._count
        self._waiting[self._count] = ticks
        self._count += 1
        heapq.heappush(self._times, ticks)

    def receive(self, picture: av.VideoFrame) -> int:
        """Return the time of the next picture, in ticks, strictly increasing.

        Args:
            picture: The next picture in the decoder's order.
        """
        number = picture.pts
        if number is not None:
            if number in self._given_up:
                heapq.heappush(self._times, self._given_up.pop(number))
            self._waiting.pop(number, None)
            self._give_up_before(self._first_to_come(number, picture))
        ticks = heapq.heappop(self._times) if self._times else self._after_last()
        if self._last is not None and ticks <= self._last:
            ticks = self._after_last()
        self._last = ticks
        return ticks

    def _first_to_come(self, number: int, picture: av.VideoFrame) -> int:
        """Return the first packet whose picture may still appear after this one."""
        from av.video.frame import PictureType

        if picture.key_frame or (self._is_simple and picture.pict_type in (PictureType.I, PictureType.P)):
            return number
        earlier = [each for each in self._waiting if each < number]
        # Only the picture that follows a B-picture in order waits for it.
        return max(earlier, default=number) if self._is_simple else 0

    def _give_up_before(self, number: int) -> None:
        given_up = {each: ticks for each, ticks in self._waiting.items() if each < number}
        if not given_up:
            return
        self._given_up = given_up
        for each, ticks in given_up.items():
            del self._waiting[each]
            if ticks in self._times:
                self._times.remove(ticks)
            elif self._times:
                # Another picture has its time, so the following ones move up.
                self._times.remove(min(self._times))
        heapq.heapify(self._times)

    def _after_last(self) -> int:
        step = max(1, round(self._stored.step))
        return self._stored.first_ticks if self._last is None else self._last + step

    def _ticks(self, packet: Packet[VideoStream]) -> int:
        """Return the time that a packet contributes."""
        stored = self._stored
        base = None if packet.dts is None else packet.dts + stored.offset
        if not stored.is_counted and base is not None:
            self._next = base + stored.step
            return base
        if stored.is_packed and base is not None:
            lag, most = base - self._next, _MOST_WAITING_PICTURES * stored.step
            if lag - self._lag > most:
                self._next = base - self._lag
            elif lag > most:
                # Many short gaps, or a rate that differs from the stream's.
                self._next, self._lag = Fraction(base), Fraction(0)
            else:
                self._lag = lag
        ticks = round(self._next)
        self._next += stored.step if stored.is_packed or not packet.duration else packet.duration
        return ticks


def is_raw(container: InputContainer) -> bool:
    """Whether a file is a stream without a container, so that all its times are FFmpeg's guesses."""
    from av.format import Flags

    return Flags.no_timestamps in Flags(container.format.flags)


def _stores_no_times(container: InputContainer, stream: VideoStream) -> bool:
    if container.format.name in _WITHOUT_PRESENTATION_TIMES or is_raw(container):
        return True
    # Matroska's own codec names have no tag. Video for Windows, which stores decoding times, has one.
    tag: Any = stream.codec_context.codec_tag
    return "matroska" in container.format.name and tag.strip("\0") != ""
