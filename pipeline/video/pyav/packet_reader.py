"""Reads and decodes the packets of an open container, past damage."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from pipeline.types import Grid
from pipeline.video.coverage import Coverage
from pipeline.video.probe import Probe, reason_of
from pipeline.video.pyav.gop_plan import PlannedPacket, Use, planned
from pipeline.video.pyav.packet_list import PacketUses
from pipeline.video.pyav.seek_plan import seek_plan_of
from pipeline.video.repair.continuous_clock import ContinuousClock
from pipeline.video.repair.keyframe_flags import Evidence, FalseKeyframeError, KeyframeFlags
from pipeline.video.repair.picture_order import PictureOrder

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

__all__ = ["PictureReader"]

_READ_ERRORS_IN_A_ROW = 20
# Between the packets of a Matroska file lie a few bytes of headers; where more is passed over, packets were lost.
_MOST_BYTES_BETWEEN = 4096


class PictureReader:
    """Reads and decodes packet by packet, so that a bad one costs itself and those that need it.

    Args:
        probed: What is known of the file.
        container: Open, at the place to read from.
        stream: The video stream; what its decoder skips is set already.
        coverage: Takes note of all that is lost.
        grid: The points at which frames are wanted; None for all frames.
        uses: What each packet is needed for, where that is known beforehand; reading begins at the first one.
        start: Where reading begins after a seek, the latest time at which it may find a keyframe; None without a seek.
        has_false_flags: Whether an earlier pass met a false keyframe flag only as decoding started there; then nothing
            is left out on the word of such flags.
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
        self._may_seek = self._flags.evidence is Evidence.PACKET and not has_false_flags
        if self._flags.evidence is Evidence.NOTHING or (self._flags.evidence is Evidence.PICTURE and has_false_flags):
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
        """Decoded pictures, as the decoder gives them out."""
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
        """All pictures, with times by their order; none may be left out, since each counts.

        After a seek, pictures may be missing that come before the first keyframe in order; the second one has its time.
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
        """Pictures of keyframes, each decoded by itself.

        A decoder that leaves the pictures in between out loses count of them, where groups of pictures are open (in
        H.264 a picture's order is coded relative to the reference before, 8.2.1), and misplaces or drops keyframes.
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
        """Pictures from the first keyframe on; those shown before it may refer to others that were not decoded.

        Raises:
            FalseKeyframeError: There is no keyframe up to `latest`, or nothing shows that there is.
        """
        if self._flags.evidence is Evidence.NOTHING:
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
            for picture in self._proven(self._decoded(packet)):
                if picture.pts is None or keyframe.pts is None or picture.pts >= keyframe.pts:
                    yield picture

    def _proven(self, pictures: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """Pictures, the first one after each start checked."""
        for picture in pictures:
            if self._started_at is not None:
                self._flags.check_start(self._started_at, picture)
                self._started_at = None
            yield picture

    def _check_start_is_proven(self) -> None:
        if self._started_at is not None and self._flags.evidence is not Evidence.PACKET:
            raise FalseKeyframeError  # not one picture came of all that followed

    def _needed(self, known: PacketUses) -> Iterator[PlannedPacket[Packet[VideoStream]]]:
        """The packets that are needed, and for what; the one that ends the stream empties the decoder."""
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
        """The wanted pictures, and those that they need."""
        context = self._stream.codec_context
        for planned_packet in packets:
            yield from self._before_seek
            self._before_seek.clear()
            if planned_packet.use is Use.NOTHING:
                self._pass_over(planned_packet.packet)
                continue
            if planned_packet.is_fresh_start:
                yield from self._proven(self._drained())
                self._check_start_is_proven()
                self._started_at = planned_packet.packet
            context.skip_frame = self._skip_of[planned_packet.use]
            yield from self._proven(self._decoded(planned_packet.packet))
        yield from self._before_seek
        self._check_start_is_proven()

    def _packets_near(self, grid: Grid) -> Iterator[Packet[VideoStream]]:
        """The packets, but for those of groups that are far from any point, where the file's index allows it.

        Raises:
            FalseKeyframeError: The index has a keyframe that is none, or a seek landed behind the one it was to find.
        """
        plan = seek_plan_of(self._probe, self._stream, grid) if self._may_seek else None
        aim: int | None = None
        for packet in self._packets():
            if aim is not None and packet.dts is not None and packet.dts < aim:
                continue  # the demuxer went back further than it was asked to
            if aim is not None and packet.size and (packet.dts != aim or not packet.is_keyframe):
                raise FalseKeyframeError
            aim = None
            is_exit = self._may_seek and packet.is_keyframe
            target = plan.beyond(packet.dts) if plan and is_exit and packet.dts is not None else None
            if target is None:
                yield packet
            else:
                aim = target.dts
                # Seeking empties the decoder. All that is wanted of what lies before was given to it: the group before
                # a seek has no point.
                self._before_seek.extend(self._drained())
                self._container.seek(target.dts, stream=self._stream)

    def _drained(self) -> Iterator[av.VideoFrame]:
        """What the decoder still holds; it then knows nothing, as after a seek."""
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
        """Where frames are left out on purpose, their packets say that they are there."""
        ticks = self._ticks(packet)
        if ticks is not None and not packet.is_discard:
            end = self._time(ticks + (packet.duration or 0))
            if end is not None:
                self._coverage.lasts_until(end)

    def check_end(self) -> None:
        """Note a file that ended too early; to be called once all pictures were given out."""
        # Where its clock breaks, what a container says of its end is of one part.
        if self._has_ended and not self._has_broken:
            self._coverage.check_end(self._probe.expected_end, self._file_end)

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """The video stream's packets, with times of one clock."""
        return self._clock.mended(self._read())

    def _note_break(self, time: Fraction, off: Fraction) -> None:
        self._has_broken = True
        if off < 0:
            self._coverage.note("the stream's clock restarts; it is continued", time)
        else:
            self._coverage.note(f"the stream's clock leaps ahead by {float(off):.3f} s; the gap is closed", time)

    def _read(self) -> Iterator[Packet[VideoStream]]:
        """The video stream's packets; reading goes on behind an error, as long as there is any progress."""
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
                    if self._flags.is_taken_back(packet):
                        self._may_seek = False
                    yield packet
                # FFmpeg takes some faults of reading for the end of the file.
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
            return self._container.demux()  # type: ignore[return-value]  # others are told apart by their index
        return self._container.demux(self._stream)

    def _note_hole(self, packet: Packet[VideoStream]) -> None:
        """FFmpeg passes over broken parts of a Matroska file without a word; only their bytes are missing."""
        if not self._probe.is_matroska or packet.pos is None or packet.pos < 0:
            return
        hole = packet.pos - self._read_until
        has_more = packet.has_sidedata("matroska_block_additional")
        if self._read_until and hole > _MOST_BYTES_BETWEEN and not has_more:
            before = None if packet.pts is None else packet.pts - 1
            self._coverage.lose("the file is broken", self._time(before), f"{hole} bytes are lost")
        # The packets of a laced block share its position: the block is as long as all of them together.
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
