"""Lookup of videos by id, URI, file name or pattern."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase

from pipeline.errors import QueryError
from pipeline.types import VideoRecord
from pipeline.uris import base_name, kept_name, public_name

__all__ = ["VideoNames", "is_pattern", "match_pattern", "match_videos"]

# A file name is suggested for an unknown one if difflib's similarity ratio (0 to 1) is at least this.
_MIN_SIMILARITY = 0.6
_MAX_SUGGESTIONS = 3

_Names = Callable[[VideoRecord], Iterable[str]]
_Lister = Callable[[], Sequence[VideoRecord]]


class VideoNames:
    """Finds videos by name; lists them on first use, and again only if a name is unknown."""

    def __init__(self) -> None:
        self._records: Sequence[VideoRecord] | None = None

    def find(self, names: Iterable[str], list_records: _Lister) -> tuple[str, ...]:
        """Return the ids of the videos with these names, without duplicates.

        Args:
            names: File names, paths, URIs or ids.
            list_records: Lists the videos.

        Raises:
            QueryError: No video has one of these names; the message suggests similar ones.
        """
        return tuple(dict.fromkeys(video_id for name in names for video_id in self._found(name, list_records)))

    @property
    def is_listed(self) -> bool:
        """Whether a list of the videos is cached."""
        return self._records is not None

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

    The name is compared with, in this order: ids; paths and URIs as indexed; the same with a relative path made
    absolute; file names; file names without extension. The first of these that matches any video decides. Several
    videos can share a file name.

    Raises:
        QueryError: No video has this name; the message suggests similar ones.
    """
    name_forms: tuple[_Names, ...] = (
        lambda record: (record.video_id,),
        lambda record: record.names,
        lambda record: map(kept_name, record.names),
        lambda record: map(base_name, record.names),
        lambda record: (base_name(name).rpartition(".")[0] for name in record.names),
    )
    for number, names in enumerate(name_forms):
        spelling = kept_name(wanted) if number == 2 else wanted
        found = tuple(record.video_id for record in records if spelling and spelling in names(record))
        if found:
            return found
    raise QueryError(f"no video {public_name(wanted)!r} in this library; {_hint(base_name(wanted), records)}")


def _hint(wanted: str, records: Sequence[VideoRecord]) -> str:
    """List the file names similar to an unknown one; if there are none, the number of videos."""
    if not records:
        return "the library has no videos yet"
    stems: dict[str, list[str]] = {}
    for name in sorted({base_name(name) for record in records for name in record.names}):
        stems.setdefault(_stem(name), []).append(name)
    # Extensions are not compared: a shared ".mp4" would make all names similar.
    near = difflib.get_close_matches(_stem(wanted), stems, n=_MAX_SUGGESTIONS, cutoff=_MIN_SIMILARITY)
    if near:
        return f"nearest: {', '.join([name for stem in near for name in stems[stem]][:_MAX_SUGGESTIONS])}"
    count = "1 video" if len(records) == 1 else f"{len(records):,} videos"
    return f"it has {count}, none with a similar name: momentseek videos lists them"


def _stem(name: str) -> str:
    return (name.rpartition(".")[0] or name).casefold()


def is_pattern(name: str) -> bool:
    """Whether a name is a pattern, which can match several videos: it contains *, ? or [."""
    return any(character in name for character in "*?[")


def match_pattern(records: Sequence[VideoRecord], pattern: str) -> tuple[str, ...]:
    """Return the ids of the videos whose names match a pattern, in the order of `records`.

    `*`, `?` and `[...]` match within one folder level, and `**` matches any number of folders. A pattern without / is
    matched against file names; any other against whole paths and URIs, also after it is made absolute.

    Raises:
        QueryError: No video matches.
    """
    if "/" in pattern:
        forms = [form.split("/") for form in dict.fromkeys((pattern, kept_name(pattern)))]
        found = [r.video_id for r in records if any(_fits(n.split("/"), form) for n in r.names for form in forms)]
    else:
        found = [r.video_id for r in records if any(fnmatchcase(base_name(n), pattern) for n in r.names)]
    if not found:
        raise QueryError(
            f"no video of this library matches {public_name(pattern)!r}; a pattern without / is matched against file"
            " names, any other against whole paths and URIs (momentseek videos lists them)"
        )
    return tuple(found)


def _fits(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return any(_fits(parts[start:], patterns[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], patterns[0]) and _fits(parts[1:], patterns[1:])
