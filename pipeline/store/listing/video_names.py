"""Name files: names that a video gained or lost after it was written, and the video that currently has a name.

Each name has its own file, written atomically: no locks are needed, no vectors are rewritten, and writing a name twice
has no effect.

- `names/{video_id}/{hash of the name}.json`: a name that the video gained after it was written, or lost because another
  video was found at that location.
- `holders/{hash of the name}.json`: the video that has a name, its holder. With it, the previous holder is found
  without reading all records.
- `holders/complete.json`: states that all names of the store have a holder file. Stores of older versions lack it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from pipeline.errors import StoreError
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.file_name_patterns import NOTE, VIDEO_ID
from pipeline.types import VideoRecord
from pipeline.types.record_json import parsed

__all__ = ["NameFiles", "holder_file", "names_folder"]

_COMPLETE = "holders/complete.json"
_NAMES = "names"


def names_folder(video_id: str) -> str:
    """Return the folder of the names that a video gained or lost."""
    return f"{_NAMES}/{video_id}"


def holder_file(name: str) -> str:
    """Return the file that states which video has a name."""
    return f"holders/{_digest(name)}.json"


@dataclass(frozen=True)
class NameFiles:
    """The name files of a store.

    Attributes:
        folder: The store's folder.
    """

    folder: AtomicFolder

    def applied_to(self, record: VideoRecord) -> VideoRecord:
        """Update a record's names: gained ones last, lost ones among the former names.

        Raises:
            StoreError: The files cannot be read.
        """
        notes = self._notes(record.video_id)
        if not notes:
            return record
        noted = {note["name"] for note in notes}
        lost = [note["name"] for note in notes if note.get("is_lost", False)]
        gained = [note["name"] for note in notes if not note.get("is_lost", False)]
        unchanged = [name for name in record.names if name not in noted]
        former = [name for name in record.former_names if name not in noted]
        return replace(record, names=(*unchanged, *gained), former_names=(*former, *lost))

    def renamed(self) -> frozenset[str]:
        """List the videos that have gained or lost a name since they were written.

        Raises:
            StoreError: The files cannot be listed.
        """
        try:
            folders = self.folder.folders(_NAMES, VIDEO_ID)
        except OSError as error:
            raise StoreError(f"{self.folder.root}/{_NAMES}: cannot be listed: {error}") from error
        return frozenset(folder.rpartition("/")[2] for folder in folders)

    def gain(self, video_id: str, name: str) -> None:
        """Record that a video has gained a name.

        Raises:
            StoreError: It could not be written.
        """
        self._note(video_id, {"name": name, "added_ns": time.time_ns()})

    def lose(self, video_id: str, name: str) -> None:
        """Record that a video has lost a name.

        Raises:
            StoreError: It could not be written.
        """
        self._note(video_id, {"name": name, "added_ns": time.time_ns(), "is_lost": True})

    def holder(self, name: str) -> str | None:
        """Read the id of the video that has a name; None if there is no holder file.

        Raises:
            StoreError: The file cannot be read.
        """
        try:
            return str(parsed(self.folder.read(holder_file(name)))["video_id"])
        except FileNotFoundError:
            return None
        except (OSError, KeyError, TypeError, ValueError) as error:
            problem = f"{self.folder.root}/{holder_file(name)}: cannot be read ({error}); delete this file"
            raise StoreError(problem) from error

    def hold(self, video_id: str, name: str) -> None:
        """Record which video has a name.

        Raises:
            StoreError: It could not be written.
        """
        self.folder.write(holder_file(name), json.dumps({"video_id": video_id}).encode())

    def has_all_holders(self) -> bool:
        """Whether all names of the store have a holder file.

        Raises:
            StoreError: The store cannot be read.
        """
        try:
            return self.folder.exists(_COMPLETE)
        except OSError as error:
            raise StoreError(f"{self.folder.root}/{_COMPLETE}: cannot be checked: {error}") from error

    def note_holders(self, records: Iterable[VideoRecord]) -> dict[str, set[str]]:
        """Write the holder files of all names, for a store that an older version wrote.

        If several videos have the same name, the one that was written last keeps it, and the others lose it.

        Args:
            records: The records of all videos.

        Returns:
            By name, the videos that lost it.

        Raises:
            StoreError: A file could not be read or written.
        """
        videos: dict[str, list[str]] = {}
        for record in records:
            for name in record.names:
                videos.setdefault(name, []).append(record.video_id)
        replaced: dict[str, set[str]] = {}
        for name, video_ids in videos.items():
            last = max(video_ids, key=self._written_at) if len(video_ids) > 1 else video_ids[0]
            for video_id in video_ids:
                if video_id != last:
                    self.lose(video_id, name)
                    replaced.setdefault(name, set()).add(video_id)
            self.hold(last, name)
        self.folder.write(_COMPLETE, b"{}")
        return replaced

    def _note(self, video_id: str, note: dict[str, Any]) -> None:
        self.folder.write(f"{names_folder(video_id)}/{_digest(note['name'])}.json", json.dumps(note).encode())

    def _notes(self, video_id: str) -> list[dict[str, Any]]:
        folder = names_folder(video_id)
        try:
            files = [file for file in self.folder.list(folder, ".json") if NOTE.fullmatch(file.rpartition("/")[2])]
            notes = [_checked_note(parsed(self.folder.read(file))) for file in files]
            return sorted(notes, key=lambda note: (note["added_ns"], note["name"]))
        except (OSError, KeyError, TypeError, ValueError) as error:
            problem = f"{self.folder.root}/{folder}: the names of a video cannot be read ({error}); delete that folder"
            raise StoreError(problem) from error

    def _written_at(self, video_id: str) -> tuple[float, str]:
        try:
            written = self.folder.written_at(f"{video_id}.parquet")
        except OSError:
            written = None
        return (0.0 if written is None else written.timestamp(), video_id)


def _checked_note(note: dict[str, Any]) -> dict[str, Any]:
    """Check the content of a name file.

    Raises:
        KeyError, TypeError: The content is invalid.
    """
    if not isinstance(note["name"], str) or not isinstance(note["added_ns"], int):
        raise TypeError("the name must be a text, and its time a whole number of nanoseconds")
    return note


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
