"""The playback clock of a video: its zero, and the end of the stream that the container states."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from pipeline.io.media import Media
from pipeline.video.repair.mp4_edit_list import mp4_end
from pipeline.video.repair.picture_order import StoredOrder, is_raw

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

__all__ = ["duration_seconds", "expected_end", "start_time"]

_CLOCK_TAG = re.compile(r"(\d+):(\d{2}):(\d{2}(?:\.\d+)?)")
# In these containers, the duration is the time of the file's end, even if the file does not start at 0. FLV has both
# kinds; a duration that is not later than the start is a length.
_COUNTED_FROM_ZERO = frozenset({"asf", "flv", "nut", "wtv"})


def start_time(
    container: InputContainer, picture: av.VideoFrame | None, video: VideoStream, order: StoredOrder | None
) -> Fraction:
    """Find the raw time in seconds at which the playback clock starts.

    Args:
        container: The file.
        picture: The first picture that can be decoded; None if there is none.
        video: The video stream.
        order: The replacement of the stream's presentation times; None if they are usable.
    """
    starts = []
    for stream in (*container.streams.video, *container.streams.audio):
        if stream.start_time is not None and stream.time_base:
            start = stream.start_time * Fraction(stream.time_base)
            starts.append(max(start, Fraction(0)) if stream.type == "audio" else start)
    if order is not None:
        starts.append(order.first_ticks * Fraction(video.time_base or 0))
    elif picture is not None and picture.pts is not None:
        starts.append(picture.pts * Fraction(picture.time_base or 0))
    if not starts and container.start_time is not None:
        return Fraction(container.start_time, 1_000_000)
    return min(starts, default=Fraction(0))


def expected_end(
    media: Media, container: InputContainer, stream: VideoStream, zero: Fraction
) -> tuple[Fraction | None, bool]:
    """Find the end of a stream on the playback clock, and whether it is the end of the whole file.

    Args:
        media: The file.
        container: The file, opened by FFmpeg.
        stream: The video stream.
        zero: Raw time of the playback clock's zero.

    Returns:
        The end, None if the container does not state it; and whether it applies to the whole file.
    """
    time_base = Fraction(stream.time_base or 0)
    end: Fraction | None = None
    if is_raw(container):
        return None, False  # FFmpeg would guess from the file's length and a bit rate
    if "mp4" in container.format.name:
        end = mp4_end(media, stream)
    elif container.format.name not in _COUNTED_FROM_ZERO and stream.duration is not None and stream.duration > 0:
        end = ((stream.start_time or 0) + stream.duration) * time_base
    elif "matroska" in container.format.name:
        end = _tagged_end(stream)
    return (end - zero, False) if end is not None else _whole_end(container, zero)


def _tagged_end(stream: VideoStream) -> Fraction | None:
    """Read the end in raw seconds from Matroska's tag, which counts from time 0, not from the stream's start."""
    tag = _CLOCK_TAG.match(stream.metadata.get("DURATION", ""))
    if tag is None:
        return None
    hours, minutes, seconds = (Fraction(part) for part in tag.groups())
    return hours * 3600 + minutes * 60 + seconds


def _whole_end(container: InputContainer, zero: Fraction) -> tuple[Fraction | None, bool]:
    """Find the end of the whole file on the playback clock."""
    whole = Fraction(container.duration or 0, 1_000_000)
    if whole <= 0:
        return None, False
    is_end = "matroska" in container.format.name or (container.format.name in _COUNTED_FROM_ZERO and whole > zero)
    return whole - zero if is_end else whole, len(container.streams) > 1


def duration_seconds(
    stream: VideoStream, end: Fraction | None, zero: Fraction, order: StoredOrder | None
) -> float | None:
    """Find the length of a stream in seconds; None if the container does not state it.

    Args:
        stream: The video stream.
        end: End of the stream on the playback clock.
        zero: Raw time of the playback clock's zero.
        order: The replacement of the stream's presentation times; None if they are usable.
    """
    if end is None:
        return None
    start = stream.start_time if order is None else order.first_ticks
    first = Fraction(0) if start is None else start * Fraction(stream.time_base or 0) - zero
    return float(end - first) if end > first else None
