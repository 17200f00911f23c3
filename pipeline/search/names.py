"""Finding videos by what people call them."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

from pipeline.errors import QueryError
from pipeline.types import VideoRecord
from pipeline.uris import is_remote, local_path, public_name

__all__ = ["match_videos"]

_Names = Callable[[VideoRecord], Iterable[str]]


def match_videos(records: Sequence[VideoRecord], wanted: str) -> tuple[str, ...]:
    """The ids of the videos that go by a name, in the order of `records`.

    The first of these that fits any video decides: the id; a path or URI as it was indexed; the same path made
    absolute; the file's name; the file's name without its ending. Several videos can share a file name.

    Raises:
        QueryError: No video goes by it; the message has the nearest names.
    """
    ways: tuple[_Names, ...] = (
        lambda record: (record.video_id,),
        lambda record: record.names,
        lambda record: map(_absolute, record.names),
        lambda record: map(_file_name, record.names),
        lambda record: (_file_name(name).rpartition(".")[0] for name in record.names),
    )
    for number, names in enumerate(ways):
        spelled = _absolute(wanted) if number == 2 else wanted
        found = tuple(record.video_id for record in records if spelled and spelled in names(record))
        if found:
            return found
    known = sorted({_file_name(name) for record in records for name in record.names})
    near = difflib.get_close_matches(_file_name(wanted), known, n=3, cutoff=0.4) or known[:3]
    hint = f"nearest: {', '.join(near)}" if near else "the library holds no video yet"
    raise QueryError(f"no video {public_name(wanted)!r} in this library; {hint}")


def _absolute(name: str) -> str:
    """A name as the library keeps it."""
    path = local_path(name)
    return public_name(path) if is_remote(path) else os.path.abspath(path)  # noqa: PTH100 - resolve follows links


def _file_name(name: str) -> str:
    return PurePosixPath(name).name
