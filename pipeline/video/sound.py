"""Reads the sound of a part of a video, exact to the sample on the playback clock."""

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

# Rates that AAC encoders take and players like; others are converted to the usual one, lower ones among them, as an
# encoder's frame of 1024 samples would be long.
_RATES = (32_000, 44_100, 48_000)
_USUAL_RATE = 48_000
# Before the part begins: decoders need a run-up, and sound may lie behind its pictures in the file.
_SEEKS_BACK_SECONDS = (2, 15)
_WORTH_A_SEEK_SECONDS = 1
# Beyond the end of the part: how far behind its pictures sound may lie in the file.
_BEHIND_SECONDS = 10
# Containers round times to a millisecond and more. What is off by less goes on without a gap.
_JITTER_SECONDS = Fraction(1, 100)
# Where a clock breaks; the pictures' own break is the larger jump.
_JUMP_SECONDS = Fraction(1, 20)


@dataclass(frozen=True, eq=False)
class SoundChunk:
    """A chunk of sound; all chunks of a part have the same rate and layout.

    Attributes:
        samples: float32 (C, N), -1 to 1; C is 1 or 2.
        rate: Samples a second.
        layout: "mono" or "stereo".
    """

    samples: Samples
    rate: int
    layout: str


def sound_within(probed: Probe, start: Fraction, end: Fraction) -> Iterator[SoundChunk]:
    """Read the sound of [start, end): of the default track, in order and without gaps.

    The first sample is that of `start`: where the track begins later, or cannot be decoded, there is silence. Where it
    ends earlier the chunks end, too; where nothing of it lies in the part there are none. More than two channels are
    mixed to stereo.

    Args:
        probed: The vetted file.
        start: Seconds on the playback clock.
        end: The same, not included.

    Raises:
        VideoError: The file has gone or changed, or its place errs or stalls.
    """
    offsets = _offsets(probed)
    # A clock that breaks has no places that could be sought.
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
    """Decoded sound and its time on the playback clock; None where the container does not say."""

    time: Fraction | None
    samples: Samples
    rate: int


_LATE = _Piece(None, np.empty((0, 0), np.float32), 1)
"""In place of the first piece: a seek went too far."""


def _chained(first: _Piece, rest: Iterable[_Piece]) -> Iterator[_Piece]:
    yield first
    yield from rest


def _entries(start: Fraction) -> Iterator[Fraction | None]:
    """Times to seek to, best first; None is the beginning."""
    for back in _SEEKS_BACK_SECONDS:
        if start - back > _WORTH_A_SEEK_SECONDS:
            yield start - back
    yield None


def _placed(pieces: Iterable[_Piece], start: Fraction, end: Fraction) -> Iterator[SoundChunk]:
    """Cut and fill pieces so that they cover the part from its first sample on."""
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
    """By how many seconds the video's clock is moved after each of its breaks (`ContinuousClock`), to the last one."""
    import av

    if not probed.may_restart:
        return ()
    offsets: list[Fraction] = []

    def note(_: Fraction, seconds_off: Fraction) -> None:
        offsets.append((offsets[-1] if offsets else Fraction(0)) - seconds_off)

    clock = ContinuousClock(probed, note)
    with open_stream(probed, reads_all=False) as (container, stream):
        try:
            for _ in clock.mended(container.demux(stream)):
                pass
        except av.FFmpegError:
            probed.media.raise_failure()
    return tuple(offsets)


class _SoundClock:
    """Moves the times of sound as those of the pictures were moved; both have one clock in the file.

    Args:
        offsets: Of the pictures, after each break of their clock.
    """

    def __init__(self, offsets: Sequence[Fraction]) -> None:
        self._offsets = (Fraction(0), *offsets)
        self._part = 0
        self._due: Fraction | None = None

    @property
    def has_breaks(self) -> bool:
        """Whether the pictures' clock breaks anywhere."""
        return len(self._offsets) > 1

    def time(self, raw: Fraction, duration: Fraction) -> Fraction:
        """The time of some sound that lasts so long; where it jumps, the next part's offset is taken if that fits."""
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
    """The track's sound from a seek's target on, until the part ends."""
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
    """The track that a player plays: the default one, or else the first, with a decoder; the others are not read."""
    from av.stream import Discard, Disposition

    # PyAV leaves the context out where FFmpeg has no decoder; its annotations do not say so.
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
    """Decodes packets of a track to float32 of one rate and one layout; what is damaged is left out."""

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
            # The track may change its mind; the resampler does not.
            self._resampler = AudioResampler("fltp", self._layout, self._rate)
            self._given = given
        return list(self._resampler.resample(frame))
