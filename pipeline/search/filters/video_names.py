"""Lookup of videos by id, URI, file name or pattern."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from pipeline.errors import QueryError
from pipeline.types import VideoRecord
from pipeline.uris import kept_name, public_name

__all__ = ["VideoNames", "is_pattern", "match_pattern", "match_videos"]

# Least likeness, of difflib's ratio from 0 to 1, of a file name that is suggested for an unknown one.
_ALIKE = 0.6
_MOST_NEAR = 3

_Names = Callable[[VideoRecord], Iterable[str]]
_Lister = Callable[[], Sequence[VideoRecord]]


class VideoNames:
    """Finds videos by name; lists them on first use, and again only for an unknown name."""

    def __init__(self) -> None:
        self._records: Sequence[VideoRecord] | None = None

    def find(self, names: Iterable[str], list_records: _Lister) -> tuple[str, ...]:
        """Return the ids of the videos with these names, each once.

        Args:
            names: File names, paths, URIs or ids.
            list_records: Lists the videos.

        Raises:
            QueryError: No video goes by one of them; the message has the nearest names.
        """
        return tuple(dict.fromkeys(video_id for name in names for video_id in self._found(name, list_records)))

    def forget(self) -> None:
        """Discard the cached list of videos."""
        self._records = None

    def _found(self, name: str, list_records: _Lister) -> tuple[str, ...]:
        if self._records is not None:
            with suppress(QueryError):
                return match_videos(self._records, name)
        self._records = list_records()
        return match_videos(self._records, name)


def match_videos(records: Sequence[VideoRecord], wanted: str) -> tuple[str, ...]:
    """Return the ids of the videos with a name, in the order of `records`.

    The first of these that fits any video decides: the id; a path or URI as it was indexed; the same path made
    absolute; the file's name; the file's name without its ending. Several videos can share a file name.

    Raises:
        QueryError: No video goes by it; the message has the nearest names.
    """
    ways: tuple[_Names, ...] = (
        lambda record: (record.video_id,),
        lambda record: record.names,
        lambda record: map(kept_name, record.names),
        lambda record: map(_file_name, record.names),
        lambda record: (_file_name(name).rpartition(".")[0] for name in record.names),
    )
    for number, names in enumerate(ways):
        spelled = kept_name(wanted) if number == 2 else wanted
        found = tuple(record.video_id for record in records if spelled and spelled in names(record))
        if found:
            return found
    raise QueryError(f"no video {public_name(wanted)!r} in this library; {_hint(_file_name(wanted), records)}")


def _hint(wanted: str, records: Sequence[VideoRecord]) -> str:
    """The file names like one that no video has, or how many videos there are."""
    if not records:
        return "the library holds no video yet"
    stems: dict[str, list[str]] = {}
    for name in sorted({_file_name(name) for record in records for name in record.names}):
        stems.setdefault(_stem(name), []).append(name)
    # Endings are left out: all names would be alike by theirs.
    near = difflib.get_close_matches(_stem(wanted), stems, n=_MOST_NEAR, cutoff=_ALIKE)
    if near:
        return f"nearest: {', '.join([name for stem in near for name in stems[stem]][:_MOST_NEAR])}"
    count = "1 video" if len(records) == 1 else f"{len(records):,} videos"
    return f"it holds {count}, none of a name like this: momentseek videos lists them"


def _stem(name: str) -> str:
    return (name.rpartition(".")[0] or name).casefold()


def is_pattern(name: str) -> bool:
    """Whether a name may stand for several videos: it has one of * ? [."""
    return any(character in name for character in "*?[")


def match_pattern(records: Sequence[VideoRecord], pattern: str) -> tuple[str, ...]:
    """Return the ids of the videos whose names match a pattern, in the order of `records`.

    `*`, `?` and `[...]` stay within a folder, and `**` is any number of folders. A pattern without / is matched with
    file names, any other with whole paths and URIs, a relative one made absolute.

    Raises:
        QueryError: None matches.
    """
    if "/" in pattern:
        forms = [form.split("/") for form in dict.fromkeys((pattern, kept_name(pattern)))]
        found = [r.video_id for r in records if any(_fits(n.split("/"), form) for n in r.names for form in forms)]
    else:
        found = [r.video_id for r in records if any(fnmatchcase(_file_name(n), pattern) for n in r.names)]
    if not found:
        raise QueryError(
            f"no video of this library matches {public_name(pattern)!r}; a pattern without / is matched with file"
            " names, any other with whole paths and URIs (momentseek videos lists them)"
        )
    return tuple(found)


def _fits(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return any(_fits(parts[start:], patterns[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], patterns[0]) and _fits(parts[1:], patterns[1:])


def _file_name(name: str) -> str:
    return PurePosixPath(name).name
