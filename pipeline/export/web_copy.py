"""Copies of videos that browsers can play: MP4, remuxed if the pictures allow it, and otherwise encoded again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.export.clips import SoundTrack, export_clip
from pipeline.types import Moment
from pipeline.video import IndexedVideos
from pipeline.video.probe import open_stream

if TYPE_CHECKING:
    from av.container import InputContainer

    from pipeline.video.pyav.decoder import PyAVStream

__all__ = ["WebForm", "export_remuxed", "web_form", "whole_video"]

_MP4, _MATROSKA = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"
_REMUXED = frozenset({_MP4, _MATROSKA, "flv", "mpegts"})
_EIGHT_BITS = frozenset({"yuv420p", "yuvj420p"})
_PIXELS = {
    "h264": _EIGHT_BITS,
    "vp8": _EIGHT_BITS,
    "vp9": _EIGHT_BITS | {"yuv420p10le"},
    "av1": _EIGHT_BITS | {"yuv420p10le"},
}
"""Pixel formats that Chromium, Firefox and Safari decode, by codec. HEVC is not among them: few browsers have it."""
_SOUND_IN_MP4 = frozenset({"aac", "mp3", "opus", "flac"})
_SOUND_IN_WEBM = frozenset({"opus", "vorbis"})
_HEAD_BYTES = 64
_MOST_HELD = 32
"""Maximum number of packets without a decoding time at the start; H.264 and AV1 reorder at most 16 pictures."""


class WebForm(StrEnum):
    """How a browser gets a video: its own file, its packets in another container, or its pictures encoded again."""

    AS_IS = "as_is"
    REMUXED = "remuxed"
    ENCODED = "encoded"


def web_form(stream: PyAVStream) -> WebForm:
    """Choose the form in which a browser can play an open video.

    A file is given out as it is only if its own clock starts at zero, so that a player shows the seconds of an answer.

    Raises:
        VideoError: The file no longer exists or has changed.
    """
    probed = stream.probed
    with open_stream(probed, reads_all=True) as (container, video):
        codec, name = video.codec_context.name, container.format.name
        codec = {"libdav1d": "av1", "libvpx-vp9": "vp9"}.get(codec, codec)
        if video.codec_context.pix_fmt not in _PIXELS.get(codec, ()):
            return WebForm.ENCODED
        sounds = {sound.codec_context.name for sound in container.streams.audio}
        starts_at_zero = probed.info.start_time == 0
    if name == _MP4 and codec != "vp8" and sounds <= _SOUND_IN_MP4 and starts_at_zero:
        return WebForm.AS_IS
    if name == _MATROSKA and codec != "h264" and sounds <= _SOUND_IN_WEBM and starts_at_zero and _is_webm(stream):
        return WebForm.AS_IS
    can_be_remuxed = name in _REMUXED and codec != "vp8" and probed.order is None
    return WebForm.REMUXED if can_be_remuxed else WebForm.ENCODED


def _is_webm(stream: PyAVStream) -> bool:
    with stream.probed.media.open() as file:
        return b"webm" in file.read(_HEAD_BYTES)


def export_remuxed(
    videos: IndexedVideos,
    video_id: str,
    path: Path,
    *,
    end_seconds: float,
    check: Callable[[], None] | None = None,
) -> None:
    """Write a whole video as MP4 without encoding its pictures again; sound that MP4 players lack becomes AAC.

    Times are those of the playback clock. If the packets do not fit into MP4, the pictures are encoded again.

    Args:
        videos: Opens the video.
        video_id: Its id.
        path: The file to write, which must not exist.
        end_seconds: The video's end on the playback clock.
        check: Called before each packet or frame; an error that it raises ends the work.

    Raises:
        VideoError: The video cannot be read.
        OSError: The file cannot be written.
    """
    import av

    from pipeline.video.pyav.decoder import PyAVDecoder

    try:
        with videos.opened_by(PyAVDecoder(fetching=videos.fetching).open, video_id) as stream:
            _remux(stream, path, Fraction(end_seconds), check)
    except (av.FFmpegError, ValueError):
        path.unlink(missing_ok=True)
        export_clip(videos, whole_video(video_id, end_seconds), path, check=check)


def whole_video(video_id: str, end_seconds: float) -> Moment:
    """Make a moment that extends over a whole video."""
    return Moment(
        video_id=video_id, uri=video_id, start_seconds=0.0, end_seconds=end_seconds, best_seconds=0.0, score=0.0
    )


def _remux(stream: PyAVStream, path: Path, end: Fraction, check: Callable[[], None] | None) -> None:
    import av

    probed = stream.probed
    with (
        open_stream(probed, reads_all=True) as (source, video),
        av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as target,
    ):
        tracks: dict[int, Any] = {video.index: target.add_stream_from_template(video)}
        copied = _copied_sound(source)
        sound = None
        if copied is not None:
            tracks[copied.index] = target.add_stream_from_template(copied)
        elif source.streams.audio:
            chunks = stream.sound(Fraction(0), end)
            first = next(chunks, None)
            sound = None if first is None else SoundTrack(target, first, chunks)
        for packet in _with_decoding_times(source.demux(*(source.streams[index] for index in tracks))):
            if check is not None:
                check()
            time = _moved(packet, probed.info.start_time)
            if sound is not None and packet.stream.index == video.index:
                sound.write_until(time)
            packet.stream = tracks[packet.stream.index]
            target.mux(packet)
        if sound is not None:
            sound.finish()


def _with_decoding_times(packets: Iterable[Any]) -> Iterator[Any]:
    """Give the first packets of a stream decoding times where the container states none, as Matroska may not.

    They are a tick apart, and end before the first one that is stated.

    Raises:
        ValueError: A later packet has none.
    """
    held: dict[int, list[Any]] = {}
    begun: set[int] = set()
    for packet in packets:
        if not packet.size:
            continue
        number = packet.stream.index
        if packet.dts is None:
            if number in begun or len(held.setdefault(number, [])) >= _MOST_HELD:
                raise ValueError("packets have no decoding times")
            held[number].append(packet)
            continue
        begun.add(number)
        earlier = held.pop(number, [])
        for place, each in enumerate(earlier):
            each.dts = packet.dts - (len(earlier) - place)
            yield each
        yield packet
    if held:
        raise ValueError("packets have no decoding times")


def _copied_sound(source: InputContainer) -> Any:
    """The sound track to copy; None if there is none that MP4 players can decode."""
    sounds = source.streams.audio
    best = source.streams.best("audio") if sounds else None
    return best if best is not None and best.codec_context.name in _SOUND_IN_MP4 else None


def _moved(packet: Any, zero: Fraction) -> Fraction:
    """Move a packet to the playback clock; return its time in seconds.

    Raises:
        ValueError: The packet has no presentation time.
    """
    if packet.pts is None or packet.dts is None or packet.time_base is None:
        raise ValueError("a packet has no presentation time")
    ticks = round(zero / packet.time_base)
    packet.pts, packet.dts = packet.pts - ticks, packet.dts - ticks
    return Fraction(packet.pts * packet.time_base)
