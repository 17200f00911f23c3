"""Store of marks: one small file per mark, below a library's folder or URL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.analyze.marks.mark import Mark, mark_from, subject_key
from pipeline.errors import StoreError
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.file_name_patterns import MARK, MARKS_FOLDER, VIDEO_ID
from pipeline.types.record_json import parsed

__all__ = ["MarkStore"]

_MOST_BYTES = 64 * 1024


@dataclass(frozen=True)
class MarkStore:
    """The marks of a library, below `{root_url}/marks/{video_id}/`.

    One file per mark needs no lock: several people can mark at once without losses. Files are written atomically. The
    constructor accesses no files.

    Attributes:
        root_url: The library's folder or URL.
    """

    root_url: str

    def _folder(self, video_id: str) -> AtomicFolder:
        return AtomicFolder(self.root_url, f"{MARKS_FOLDER}/{video_id}")

    def add(self, mark: Mark) -> None:
        """Write a mark; an existing one with the same video, interval and subject is replaced.

        Raises:
            StoreError: The mark cannot be written.
        """
        self._folder(mark.video_id).write(mark.file_name, json.dumps(mark.as_json(), indent=1).encode())

    def remove(self, mark: Mark) -> bool:
        """Remove a mark; return whether it existed.

        Raises:
            StoreError: The mark cannot be removed.
        """
        folder = self._folder(mark.video_id)
        try:
            return folder.delete(mark.file_name)
        except OSError as error:
            raise StoreError(f"{folder.root}/{mark.file_name}: cannot be removed: {error}") from error

    def video_ids(self) -> tuple[str, ...]:
        """List the ids of the videos with marks, sorted.

        Raises:
            StoreError: The videos cannot be listed.
        """
        place = AtomicFolder(self.root_url)
        try:
            folders = place.folders(MARKS_FOLDER, VIDEO_ID)
        except OSError as error:
            raise StoreError(f"{place.root}/{MARKS_FOLDER}: cannot be listed: {error}") from error
        return tuple(name.rpartition("/")[2] for name in folders)

    def marks(self, subject: str | None = None, video_id: str | None = None) -> list[Mark]:
        """Read marks, ordered by video id, start, end and subject.

        Args:
            subject: Subject of the marks, in any letter case; None for all.
            video_id: Video of the marks; None for all.

        Raises:
            StoreError: The marks cannot be listed, or a file is not a mark (`survey` continues with the others).
        """
        found, broken = self.survey(subject, video_id)
        if broken:
            raise broken[0]
        return found

    def survey(self, subject: str | None = None, video_id: str | None = None) -> tuple[list[Mark], list[StoreError]]:
        """Read marks as `marks` does, and collect the errors of files that are not marks.

        Raises:
            StoreError: The marks cannot be listed.
        """
        found: list[Mark] = []
        broken: list[StoreError] = []
        for one in self.video_ids() if video_id is None else (video_id,):
            if not VIDEO_ID.fullmatch(one):
                continue
            folder = self._folder(one)
            for name in self._names(folder, subject):
                try:
                    mark = self._read(folder, name, one)
                except StoreError as error:
                    broken.append(error)
                    continue
                if mark is not None:
                    found.append(mark)
        found.sort(key=lambda mark: (mark.video_id, mark.start_seconds, mark.end_seconds, mark.subject.casefold()))
        return found, broken

    def __iter__(self) -> Iterator[Mark]:
        return iter(self.marks())

    def _names(self, folder: AtomicFolder, subject: str | None) -> list[str]:
        try:
            names = folder.list("", ".json")
        except OSError as error:
            raise StoreError(f"{folder.root}: cannot be listed: {error}") from error
        start = "" if subject is None else subject_key(subject)
        return [name for name in names if MARK.fullmatch(name) and name.startswith(start)]

    def _read(self, folder: AtomicFolder, name: str, video_id: str) -> Mark | None:
        """Read one file; None if it was removed since it was listed."""
        try:
            return _at_its_place(mark_from(parsed(folder.read(name, _MOST_BYTES))), video_id, name)
        except FileNotFoundError:
            return None
        except (OSError, TypeError, ValueError) as error:
            raise StoreError(f"{folder.root}/{name}: is not a mark ({error}); delete it") from error


def _at_its_place(mark: Mark, video_id: str, name: str) -> Mark:
    if (mark.video_id, mark.file_name) != (video_id, name):
        raise ValueError(f"it is a mark of {mark.video_id} at {mark.start_seconds:g} s under the name of another")
    return mark
