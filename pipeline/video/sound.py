"""Reads the sound of an interval of a video, exact to the sample on the playback clock."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.video.probe import Probe, open_stream, reason_of
from pipeline.video.repair.continuous_clock import ContinuousClock

if TYPE_CHECKING:
    import av
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

__all__ = ["SoundChunk", "sound_within"]

_log = logging.getLogger(__name__)

Samples = npt.NDArray[np.float32]

# Sample rates that AAC encoders and players support. Others are resampled to the common one, including lower ones,
# because an encoder's frame of 1024 samples would last too long.
_RATES = (32_000, 44_100, 48_000)
_USUAL_RATE = 48_000
# Seconds read before the interval: decoders need a run-up, and sound may be stored after its pictures.
_SEEKS_BACK_SECONDS = (2, 15)
_WORTH_A_SEEK_SECONDS = 1
# Seconds read after the interval: how far sound may be stored after its pictures.
_BEHIND_SECONDS = 10
# Containers round times to a millisecond or more. Smaller deviations do not count as gaps.
_JITTER_SECONDS = Fraction(1, 100)
# Minimum jump of the sound's times at a break of the clock; the jump of the pictures' times is larger.
_JUMP_SECONDS = Fraction(1, 20)


@dataclass(frozen=True, eq=False)
class SoundChunk:
    """A chunk of sound; all chunks of an interval have the same rate and layout.

    Attributes:
        samples: float32 (C, N), -1 to 1; C is 1 or 2.
        rate: Samples per second.
        layout: "mono" or "stereo".
    """

    samples: Samples
    rate: int
    layout: str


def sound_within(probed: Probe, start: Fraction, end: Fraction) -> Iterator[SoundChunk]:
    """Read the sound of the default track in [start, end), in order and without gaps.

    The first sample is at `start`. If the track starts later or cannot be decoded, the time is filled with silence. If
    the track ends earlier, the chunks end, too; if it has no sound in the interval, there are none. More than two
    channels are mixed to stereo.

    Args:
        probed: The checked file.
        start: Start in seconds on the playback clock.
        end: End in seconds on the playback clock, excluded.

    Raises:
        VideoError: The file is gone or has changed, or the server or store fails or stalls.
    """
    offsets = _offsets(probed)
    # With breaks of the clock, seeks are not possible.
    for seek_to in [None] if offsets else _entries(start):
        decoded = _decoded(probed, seek_to, start, end, _SoundClock(offsets))
        first = next(decoded, None)
        if first is _LATE:
            decoded.close()
            continue
        if first is not None:
            yield from _placed(_chained(first, decoded), start, end)
        return


@dataclass(frozen=True, eq=False)
class _Piece:
    """Decoded sound and its time on the playback clock; None if the container does not state it."""

    time: Fraction | None
    samples: Samples
    rate: int


_LATE = _Piece(None, np.empty((0, 0), np.float32), 1)
"""Replaces the first piece if a seek landed too late."""


def _chained(first: _Piece, rest: Iterable[_Piece]) -> Iterator[_Piece]:
    yield first
    yield from rest


def _entries(start: Fraction) -> Iterator[Fraction | None]:
    """Yield times to seek to, best first, and finally None for the beginning."""
    for back in _SEEKS_BACK_SECONDS:
        if start - back > _WORTH_A_SEEK_SECONDS:
            yield start - back
    yield None


def _placed(pieces: Iterable[_Piece], start: Fraction, end: Fraction) -> Iterator[SoundChunk]:
    """Trim and pad pieces so that they cover the interval from its first sample on."""
    done, expected, total = 0, None, None
    for piece in pieces:
        rate, (channels, count) = piece.rate, piece.samples.shape
        total = total or round((end - start) * rate)
        layout = "mono" if channels == 1 else "stereo"
        first = round((piece.time - start) * rate) if piece.time is not None else expected
        if first is None:
            first = 0
        if expected is not None and abs(first - expected) <= _JITTER_SECONDS * rate:
            first = expected
        expected = first + count
        if first >= total:
            return
        if expected <= done:
            continue
        while done < first:
            silence = min(first - done, rate)
            yield SoundChunk(np.zeros((channels, silence), np.float32), rate, layout)
            done += silence
        kept = piece.samples[:, done - first : total - first]
        if kept.shape[1]:
            yield SoundChunk(kept, rate, layout)
            done += kept.shape[1]
        if done >= total:
            return


def _offsets(probed: Probe) -> tuple[Fraction, ...]:
    """Find the offsets of the video's clock in seconds after each of its breaks (`ContinuousClock`)."""
    import av

    if not probed.may_restart:
        return ()
    offsets: list[Fraction] = []

    def note(_: Fraction, seconds_off: Fraction) -> None:
        offsets.append((offsets[-1] if offsets else Fraction(0)) - seconds_off)

    clock = ContinuousClock(probed, note)
    with open_stream(probed, reads_all=False) as (container, stream):
        try:
            for _ in clock.continuous(container.demux(stream)):
                pass
        except av.FFmpegError:
            probed.media.raise_failure()
    return tuple(offsets)


class _SoundClock:
    """Shifts the times of sound like those of the pictures, since both have the same clock in the file.

    Args:
        offsets: Offsets of the pictures after each break of their clock.
    """

    def __init__(self, offsets: Sequence[Fraction]) -> None:
        self._offsets = (Fraction(0), *offsets)
        self._part = 0
        self._due: Fraction | None = None

    @property
    def has_breaks(self) -> bool:
        """Whether the pictures' clock has any breaks."""
        return len(self._offsets) > 1

    def time(self, raw: Fraction, duration: Fraction) -> Fraction:
        """Return the time of a piece of sound; at a jump, the next part's offset is used if it fits."""
        found = raw + self._offsets[self._part]
        if self._due is not None and self._part + 1 < len(self._offsets):
            following = raw + self._offsets[self._part + 1]
            if abs(found - self._due) > _JUMP_SECONDS and abs(following - self._due) < abs(found - self._due):
                self._part, found = self._part + 1, following
        self._due = found + duration
        return found


def _decoded(
    probed: Probe, seek_to: Fraction | None, start: Fraction, end: Fraction, clock: _SoundClock
) -> Generator[_Piece]:
    """Decode the track from a seek's target to the end of the interval."""
    import av

    with open_stream(probed, reads_all=True) as (container, video):
        track = _track(container)
        if track is None:
            return
        if seek_to is not None and not _has_sought(probed, container, video, seek_to):
            yield _LATE
            return
        converter = _Converter(track)
        is_first = True
        try:
            for packet in container.demux(video, track):
                time = _time_of(packet, probed)
                if is_first and time is not None:
                    is_first = False
                    if seek_to is not None and time > start:
                        yield _LATE
                        return
                if packet.stream is not track:
                    if time is not None and time > end + _BEHIND_SECONDS and not clock.has_breaks:
                        return
                    continue
                for rate, frame in converter.converted(packet):
                    raw = None if frame.pts is None else frame.pts * Fraction(frame.time_base or Fraction(1, rate))
                    length = Fraction(frame.samples, rate)
                    at = None if raw is None else clock.time(raw - probed.info.start_time, length)
                    yield _Piece(at, np.asarray(frame.to_ndarray(), np.float32), rate)
        except av.FFmpegError as error:
            probed.media.raise_failure()
            _log.info("the sound of %r ends early: %s", probed.info.uri, reason_of(error))


def _time_of(packet: av.Packet[Any], probed: Probe) -> Fraction | None:
    ticks = packet.dts if packet.dts is not None else packet.pts
    if ticks is None or packet.time_base is None:
        return None
    return ticks * Fraction(packet.time_base) - probed.info.start_time


def _track(container: InputContainer) -> AudioStream | None:
    """Return the track that players choose: the default one or else the first, among those with a decoder."""
    from av.stream import Discard, Disposition

    # PyAV's context is None if FFmpeg has no decoder, contrary to its annotations.
    known = [track for track in container.streams.audio if getattr(track, "codec_context", None) is not None]
    special = Disposition.hearing_impaired | Disposition.visual_impaired | Disposition.comment
    plain = [track for track in known if not track.disposition & special] or known
    chosen = next((track for track in plain if track.disposition & Disposition.default), plain[0] if plain else None)
    for stream in container.streams:
        if stream.type != "video" and stream is not chosen:
            stream.discard = Discard.all
    return chosen


def _has_sought(probed: Probe, container: InputContainer, stream: VideoStream, time: Fraction) -> bool:
    import av

    try:
        container.seek(int((time + probed.info.start_time) / probed.info.time_base), stream=stream)
    except av.FFmpegError:
        probed.media.raise_failure()
        return False
    return True


class _Converter:
    """Decodes packets of a track to float32 of one rate and layout; damaged sound is left out."""

    def __init__(self, track: AudioStream) -> None:
        self._track = track
        self._rate = 0
        self._layout = ""
        self._given: tuple[object, ...] = ()
        self._resampler: Any = None

    def converted(self, packet: av.Packet[Any]) -> Iterator[tuple[int, av.AudioFrame]]:
        import av

        try:
            decoded: Any = packet.decode()
        except (av.FFmpegError, ValueError) as error:
            _log.info("a packet of sound cannot be decoded: %s", reason_of(error))
            return
        for frame in decoded:
            try:
                made = self._resampled(frame)
            except (av.FFmpegError, ValueError) as error:
                _log.info("some sound cannot be converted: %s", reason_of(error))
                continue
            for each in made:
                if each.samples:
                    yield self._rate, each

    def _resampled(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        from av import AudioResampler

        if not self._rate:
            self._rate = frame.sample_rate if frame.sample_rate in _RATES else _USUAL_RATE
            self._layout = "mono" if frame.layout.nb_channels == 1 else "stereo"
        given = (frame.format.name, frame.layout.name, frame.sample_rate)
        if given != self._given:
            # A track may change its format; a resampler cannot.
            self._resampler = AudioResampler("fltp", self._layout, self._rate)
            self._given = given
        return list(self._resampler.resample(frame))
