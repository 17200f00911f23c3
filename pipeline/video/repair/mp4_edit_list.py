"""Computes the end of an MP4 file's stream from its edit list.

FFmpeg's duration is wrong in two cases, which need the file's own edit list (ISO/IEC 14496-12, 8.6.6). In a fragmented
file, it is the end of the last fragment on the media's clock, regardless of the start of the first one. If an empty
edit precedes trimmed media, it includes the trimmed part.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO

from pipeline.io.media import Media

if TYPE_CHECKING:
    from av.video.stream import VideoStream

__all__ = ["EditList", "mp4_end", "read_edit_list"]

_MOST_BOXES = 1000
_MOST_EDITS = 1000


@dataclass(frozen=True)
class EditList:
    """The edit list of a track.

    Attributes:
        edits: For each edit, its length and its start in the media, in seconds; the start is None if nothing is shown.
    """

    edits: tuple[tuple[Fraction, Fraction | None], ...] = ()

    @property
    def offset(self) -> Fraction:
        """Offset in seconds from a time of the media to its presentation time."""
        delay = Fraction(0)
        for length, place in self.edits:
            if place is not None:
                return delay - place
            delay += length
        return delay

    @property
    def end(self) -> Fraction | None:
        """End of the last edit in seconds; None if it lasts as long as the media."""
        if not self.edits or not self.edits[-1][0]:
            return None
        return sum((length for length, _ in self.edits), Fraction(0))


def mp4_end(media: Media, stream: VideoStream) -> Fraction | None:
    """Compute the end of an MP4 file's stream in raw seconds; None if the container does not state it.

    Args:
        media: The file.
        stream: The video stream, opened by FFmpeg.
    """
    time_base = Fraction(stream.time_base or 0)
    if not stream.duration or stream.duration < 0:
        return None
    start = (stream.start_time or 0) * time_base
    duration = stream.duration * time_base
    entries = stream.index_entries
    if not len(entries):
        return start + duration
    first = entries[0].timestamp * time_base
    if len(entries) > stream.frames:
        delay = max(Fraction(0), start - first)
        return duration + _edit_list(media, stream).offset + delay
    if entries[0].is_discard and start > 0:
        end = _edit_list(media, stream).end
        return start + duration if end is None else min(start + duration, end)
    return start + duration


def _edit_list(media: Media, stream: VideoStream) -> EditList:
    try:
        with media.open() as file:
            return read_edit_list(file, stream.id)
    except (OSError, ValueError, struct.error):
        return EditList()


def read_edit_list(file: BinaryIO, track_id: int) -> EditList:
    """Read the edit list of one track; empty if it has none.

    Args:
        file: An MP4 file.
        track_id: The track's number in the file.

    Raises:
        OSError: The file cannot be read.
        struct.error: The file is truncated.
    """
    movie = next((box for box in _boxes(file, 0, None) if box[0] == b"moov"), None)
    if movie is None:
        return EditList()
    movie_scale = 0
    for kind, start, end in _boxes(file, *movie[1:]):
        if kind == b"mvhd":
            movie_scale = _number_after_dates(file, start)
        elif kind == b"trak":
            parts = {kind: (start, end) for kind, start, end in _boxes(file, start, end)}
            if b"tkhd" in parts and _number_after_dates(file, parts[b"tkhd"][0]) == track_id:
                return _edits(file, parts, movie_scale)
    return EditList()


def _edits(file: BinaryIO, track: dict[bytes, tuple[int, int]], movie_scale: int) -> EditList:
    headers = dict(_inside(file, track, b"mdia", b"mdhd") + _inside(file, track, b"edts", b"elst"))
    if len(headers) < 2 or movie_scale < 1:
        return EditList()
    media_scale = _number_after_dates(file, headers[b"mdhd"])
    file.seek(headers[b"elst"])
    version, count = struct.unpack(">B3xI", file.read(8))
    form = ">Qqi" if version else ">Iii"
    edits = []
    for _ in range(min(count, _MOST_EDITS)):
        length, place, _rate = struct.unpack(form, file.read(struct.calcsize(form)))
        edits.append((Fraction(length, movie_scale), None if place < 0 else Fraction(place, max(media_scale, 1))))
    return EditList(tuple(edits))


def _inside(file: BinaryIO, track: dict[bytes, tuple[int, int]], outer: bytes, inner: bytes) -> list[tuple[bytes, int]]:
    if outer not in track:
        return []
    return [(kind, start) for kind, start, _ in _boxes(file, *track[outer]) if kind == inner]


def _number_after_dates(file: BinaryIO, start: int) -> int:
    """Read the time scale of a movie or medium, or the number of a track, after dates of version-dependent length."""
    file.seek(start)
    (version,) = struct.unpack(">B", file.read(1))
    file.seek(start + 4 + (16 if version else 8))
    number: int = struct.unpack(">I", file.read(4))[0]
    return number


def _boxes(file: BinaryIO, start: int, end: int | None) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type of each box and the start and end of its content."""
    if end is None:
        end = file.seek(0, 2)
    for _ in range(_MOST_BOXES):
        if start + 8 > end:
            return
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            size, head = struct.unpack(">Q", file.read(8))[0], 16
        elif size == 0:
            size = end - start
        if size < head:
            return
        yield kind, start + head, min(start + size, end)
        start += size
