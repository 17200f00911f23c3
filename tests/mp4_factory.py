"""MP4 files changed box by box (ISO/IEC 14496-12), for what FFmpeg's muxer never writes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from video_factory import Made


def without_fragments(made: Made, path: Path, *, first: int, kept: int | None = None) -> Path:
    """A copy as of a live stream that was joined late: the headers, and the fragments from one on.

    Args:
        made: A fragmented file.
        path: Where the copy is written.
        first: Fragments that are left out before.
        kept: Those that stay; None for all that follow.
    """
    content = made.path.read_bytes()
    copy, number = b"", -1
    for kind, start, end in _boxes(content, 0, len(content)):
        number += kind == "moof"
        is_kept = number >= first and (kept is None or number < first + kept)
        if kind in ("moof", "mdat") and not is_kept:
            continue
        if kind not in ("mfra", "sidx"):
            copy += content[start:end]
    path.write_bytes(copy)
    return path


def with_empty_edit(made: Made, path: Path, seconds: Fraction) -> Path:
    """A copy whose first track begins later, whatever its edit list says after that.

    Args:
        made: A file with an edit list, whose headers are at its end.
        path: Where the copy is written.
        seconds: How much later.
    """
    content = bytearray(made.path.read_bytes())
    outer: list[int] = []
    place, end = 0, len(content)
    for wanted in ("moov", "trak", "edts", "elst"):
        found = next(box for box in _boxes(content, place, end) if box[0] == wanted)
        outer.append(found[1])
        place, end = found[1] + 8, found[2]
    movie = next(start for kind, start, _ in _boxes(content, outer[0] + 8, len(content)) if kind == "mvhd")
    (scale,) = struct.unpack_from(">I", content, movie + 8 + 12)
    (count,) = struct.unpack_from(">I", content, place + 4)
    struct.pack_into(">I", content, place + 4, count + 1)
    content[place + 8 : place + 8] = struct.pack(">IiI", round(seconds * scale), -1, 1 << 16)
    for start in outer:
        (size,) = struct.unpack_from(">I", content, start)
        struct.pack_into(">I", content, start, size + 12)
    path.write_bytes(content)
    return path


def _boxes(content: bytes | bytearray, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    while start < end:
        size, kind = struct.unpack_from(">I4s", content, start)
        yield kind.decode("latin-1"), start, start + size
        start += size
