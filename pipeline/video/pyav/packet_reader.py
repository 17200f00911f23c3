"""Reads and decodes the packets of an open container, and continues after damage."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from pipeline.types import Grid
from pipeline.video.coverage import Coverage
from pipeline.video.probe import Probe, reason_of
from pipeline.video.pyav.gop_plan import PlannedPacket, Use, planned
from pipeline.video.pyav.mp4_index import seek_plan_of
from pipeline.video.pyav.packet_list import PacketUses
from pipeline.video.repair.continuous_clock import ContinuousClock
from pipeline.video.repair.keyframe_flags import FalseKeyframeError, FlagCheck, KeyframeFlags
from pipeline.video.repair.picture_order import PictureOrder

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

__all__ = ["PictureReader"]

_READ_ERRORS_IN_A_ROW = 20
# Maximum bytes of headers between the packets of a Matroska file; larger gaps are lost packets.
_MOST_BYTES_BETWEEN = 4096


class PictureReader:
    """Reads and decodes packet by packet, so that a damaged packet affects only its own frame and dependent frames.

    Args:
        probed: The probed properties of the file.
        container: The open container, at the position to read from.
        stream: The video stream, with its decoder's skip settings.
        coverage: Records all losses.
        grid: The points at which frames are wanted; None for all frames.
        uses: The use of each packet, if known in advance; reading starts at the first one used.
        start: After a seek, the latest time at which reading may find a keyframe; None without a seek.
        has_false_flags: Whether an earlier pass started decoding at a false keyframe; no packet is then left out on
            account of keyframe flags.
    """

    def __init__(
        self,
        probed: Probe,
        container: InputContainer,
        stream: VideoStream,
        coverage: Coverage,
        *,
        grid: Grid | None = None,
        uses: PacketUses | None = None,
        start: Fraction | None = None,
        has_false_flags: bool = False,
    ) -> None:
        self._flags = KeyframeFlags(stream.codec_context, marks_keyframes=probed.marks_keyframes)
        self._may_seek = self._flags.check is FlagCheck.PACKET and not has_false_flags
        if self._flags.check is FlagCheck.NOTHING or (self._flags.check is FlagCheck.PICTURE and has_false_flags):
            grid = uses = None
        is_skipping = stream.codec_context.skip_frame != "DEFAULT"
        self._takes_keyframes_only = self._flags.can_test and stream.codec_context.skip_frame == "NONKEY"
        self._start = start
        self._started_at: Packet[VideoStream] | None = None
        self._probe = probed
        self._container = container
        self._stream = stream
        self._coverage = coverage
        self._skip_of: dict[Use, Literal["DEFAULT", "NONREF"]] = {
            Use.SHOWN: "NONREF" if is_skipping else "DEFAULT",
            Use.REFERENCE: "NONREF",
        }
        self._order = PictureOrder(probed.order, probed.info.codec) if probed.order is not None else None
        self._is_skipping = is_skipping or grid is not None or uses is not None
        self._grid = grid
        self._uses = uses
        self._before_seek: list[av.VideoFrame] = []
        self._file_end = Fraction(0)
        self._read_until = 0
        self._block = 0, 0
        self._has_ended = False
        self._clock = ContinuousClock(probed, self._note_break)
        self._has_broken = False

    def pictures(self) -> Iterator[av.VideoFrame]:
        """Yield decoded pictures in the decoder's order."""
        if self._order is not None:
            yield from self._ordered(self._order)
        elif self._uses is not None:
            yield from self._planned(self._needed(self._uses))
        elif self._grid is not None:
            timed = ((packet, self._time(packet.pts)) for packet in self._packets_near(self._grid))
            yield from self._planned(planned(timed, self._grid))
        elif self._start is not None:
            yield from self._from_keyframe(self._start)
        elif self._takes_keyframes_only:
            yield from self._keyframes()
        else:
            for packet in self._packets():
                yield from self._decoded(packet)
        self._has_ended = True

    def _ordered(self, order: PictureOrder) -> Iterator[av.VideoFrame]:
        """Yield all pictures, timed by their order, which is why none may be left out.

        After a seek, pictures may be missing that precede the first keyframe in order; the second keyframe has the
        right time.
        """
        keyframes, first_keyframe = 0, 2 if self._start is not None else 0
        for packet in self._packets():
            if packet.size:
                order.send(packet)
            for picture in self._decoded(packet):
                picture.pts = order.receive(picture)
                keyframes += picture.key_frame
                if keyframes >= first_keyframe:
                    yield picture

    def _keyframes(self) -> Iterator[av.VideoFrame]:
        """Yield the pictures of keyframes, each decoded separately.

        With open groups of pictures, a decoder that skips the pictures in between miscounts them (in H.264, the order
        of a picture is coded relative to the previous reference, 8.2.1), and misplaces or drops keyframes.
        """
        self._stream.codec_context.skip_frame = "DEFAULT"
        for packet in self._packets():
            if packet.size and self._flags.is_keyframe(packet):
                for picture in itertools.islice(itertools.chain(self._decoded(packet), self._drained()), 1):
                    picture.key_frame = True  # type: ignore[misc]  # the stub lacks the setter; some decoders don't
                    yield picture
                self._stream.codec_context.flush_buffers()
            else:
                self._pass_over(packet)

    def _from_keyframe(self, latest: Fraction) -> Iterator[av.VideoFrame]:
        """Yield the pictures from the first keyframe on, except earlier ones, which may refer to pictures not decoded.

        Raises:
            FalseKeyframeError: There is no keyframe up to `latest`, or it cannot be verified.
        """
        if self._flags.check is FlagCheck.NOTHING:
            raise FalseKeyframeError
        keyframe: Packet[VideoStream] | None = None
        for packet in self._packets():
            if keyframe is None:
                time = self._time(self._ticks(packet))
                if time is None or time > latest:
                    raise FalseKeyframeError
                if not packet.is_keyframe:
                    continue
                keyframe = self._started_at = packet
            for picture in self._with_checked_starts(self._decoded(packet)):
                if picture.pts is None or keyframe.pts is None or picture.pts >= keyframe.pts:
                    yield picture

    def _with_checked_starts(self, pictures: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """Pass on pictures, and check the first one after each start."""
        for picture in pictures:
            if self._started_at is not None:
                self._flags.check_start(self._started_at, picture)
                self._started_at = None
            yield picture

    def _check_start_is_verified(self) -> None:
        if self._started_at is not None and self._flags.check is not FlagCheck.PACKET:
            raise FalseKeyframeError  # no picture could be decoded after it

    def _needed(self, known: PacketUses) -> Iterator[PlannedPacket[Packet[VideoStream]]]:
        """Yield the needed packets with their uses, and finally the packet that flushes the decoder."""
        number, ticks_end = -1, None
        for packet in self._packets():
            if packet.size == 0:
                yield PlannedPacket(packet, None, Use.SHOWN)
                continue
            number += 1
            use = known.uses[number] if number < len(known.uses) else Use.SHOWN
            if use is not Use.NOTHING:
                yield PlannedPacket(packet, None, use, is_fresh_start=number in known.fresh_starts)
            elif packet.pts is not None:
                ticks_end = max(ticks_end or 0, packet.pts + (packet.duration or 0))
        passed_over = self._time(ticks_end)
        if passed_over is not None:
            self._coverage.lasts_until(passed_over)

    def _planned(self, packets: Iterable[PlannedPacket[Packet[VideoStream]]]) -> Iterator[av.VideoFrame]:
        """Decode the wanted pictures and the pictures that they depend on."""
        context = self._stream.codec_context
        for planned_packet in packets:
            yield from self._before_seek
            self._before_seek.clear()
            if planned_packet.use is Use.NOTHING:
                self._pass_over(planned_packet.packet)
                continue
            if planned_packet.is_fresh_start:
                yield from self._with_checked_starts(self._drained())
                self._check_start_is_verified()
                self._started_at = planned_packet.packet
            context.skip_frame = self._skip_of[planned_packet.use]
            yield from self._with_checked_starts(self._decoded(planned_packet.packet))
        yield from self._before_seek
        self._check_start_is_verified()

    def _packets_near(self, grid: Grid) -> Iterator[Packet[VideoStream]]:
        """Yield the packets, except groups far from any point if the file's index allows skipping them.

        Raises:
            FalseKeyframeError: The index lists a false keyframe, or a seek landed after its target.
        """
        plan = seek_plan_of(self._probe, self._stream, grid) if self._may_seek else None
        aim: int | None = None
        for packet in self._packets():
            if aim is not None and packet.dts is not None and packet.dts < aim:
                continue  # the demuxer went further back than requested
            if aim is not None and packet.size and (packet.dts != aim or not packet.is_keyframe):
                raise FalseKeyframeError
            aim = None
            is_exit = self._may_seek and packet.is_keyframe
            target = plan.beyond(packet.dts) if plan and is_exit and packet.dts is not None else None
            if target is None:
                yield packet
            else:
                aim = target.dts
                # Seeking resets the decoder. It has already returned all wanted pictures, because the group before a
                # seek contains no point.
                self._before_seek.extend(self._drained())
                self._container.seek(target.dts, stream=self._stream)

    def _drained(self) -> Iterator[av.VideoFrame]:
        """Flush the decoder, which also resets it, as a seek does."""
        import av

        try:
            yield from self._stream.codec_context.decode(None)
        except av.error.EOFError:
            pass
        except av.FFmpegError as error:
            self._coverage.lose("a picture cannot be decoded", self._reached(), reason_of(error))
        self._stream.codec_context.flush_buffers()

    def _decoded(self, packet: Packet[VideoStream]) -> Iterator[av.VideoFrame]:
        import av

        try:
            pictures = packet.decode()
        except av.error.EOFError:
            return
        except av.FFmpegError as error:
            self._coverage.lose("a picture cannot be decoded", self._time(self._ticks(packet)), reason_of(error))
            return
        if self._clock.is_damaged(packet):
            self._coverage.note("the data is damaged", self._time(self._ticks(packet)))
        if self._is_skipping:
            self._pass_over(packet)
        yield from pictures

    def _pass_over(self, packet: Packet[VideoStream]) -> None:
        """Count the time of a packet that is left out on purpose as covered."""
        ticks = self._ticks(packet)
        if ticks is not None and not packet.is_discard:
            end = self._time(ticks + (packet.duration or 0))
            if end is not None:
                self._coverage.lasts_until(end)

    def check_end(self) -> None:
        """Record whether the file ended too early; called after all pictures were returned."""
        # If the clock breaks, the end stated by the container applies to one part only.
        if self._has_ended and not self._has_broken:
            self._coverage.check_end(self._probe.expected_end, self._file_end)

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """Yield the video stream's packets with times on one continuous clock."""
        return self._clock.continuous(self._read())

    def _note_break(self, time: Fraction, off: Fraction) -> None:
        self._has_broken = True
        if off < 0:
            self._coverage.note("the stream's clock restarts; it is continued", time)
        else:
            self._coverage.note(f"the stream's clock leaps ahead by {float(off):.3f} s; the gap is closed", time)

    def _read(self) -> Iterator[Packet[VideoStream]]:
        """Yield the video stream's packets; continue after read errors as long as there is progress."""
        import av

        failures = 0
        is_over = False
        while not is_over:
            try:
                for packet in self._demuxed():
                    failures = 0
                    self._note_hole(packet)
                    if packet.stream.index != self._stream.index:
                        self._measure(packet)
                        continue
                    if self._flags.remove_false_flag(packet):
                        self._may_seek = False
                    yield packet
                # FFmpeg treats some read errors as the end of the file.
                self._probe.media.raise_failure()
                is_over = True
            except av.FFmpegError as error:
                self._probe.media.raise_failure()
                failures += 1
                is_over = failures >= _READ_ERRORS_IN_A_ROW
                if failures == 1 or is_over:
                    self._coverage.lose("the file cannot be read on", self._reached(), reason_of(error))

    def _demuxed(self) -> Iterator[Packet[VideoStream]]:
        if self._probe.reads_all:
            return self._container.demux()  # type: ignore[return-value]  # other streams are filtered by index
        return self._container.demux(self._stream)

    def _note_hole(self, packet: Packet[VideoStream]) -> None:
        """Record broken parts of a Matroska file, which FFmpeg skips silently, by the gaps between packets."""
        if not self._probe.is_matroska or packet.pos is None or packet.pos < 0:
            return
        hole = packet.pos - self._read_until
        has_more = packet.has_sidedata("matroska_block_additional")
        if self._read_until and hole > _MOST_BYTES_BETWEEN and not has_more:
            before = None if packet.pts is None else packet.pts - 1
            self._coverage.lose("the file is broken", self._time(before), f"{hole} bytes are lost")
        # The packets of a laced block share its position; the block's size is the sum of theirs.
        position, size = self._block
        self._block = packet.pos, packet.size + (size if packet.pos == position else 0)
        self._read_until = max(self._read_until, sum(self._block))

    def _measure(self, packet: Packet[VideoStream]) -> None:
        if self._probe.has_other_ends and packet.pts is not None and packet.time_base:
            end = (packet.pts + (packet.duration or 0)) * Fraction(packet.time_base)
            self._file_end = max(self._file_end, end - self._probe.info.start_time)

    def _reached(self) -> Fraction | None:
        return None if self._coverage.is_empty else self._coverage.end_time

    def _time(self, ticks: int | None) -> Fraction | None:
        return None if ticks is None else ticks * self._probe.info.time_base - self._probe.info.start_time

    def _ticks(self, packet: Packet[VideoStream]) -> int | None:
        return packet.pts if packet.pts is not None and self._order is None else packet.dts
