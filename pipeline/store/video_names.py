"""Name files: a video's names gained or lost after it was written, and the video that holds a name.

One file a name, written whole, so that nothing is locked, no vectors are rewritten, and writing twice changes nothing:

- `names/{video_id}/{hash of the name}.json`: a name that the video gained after it was written, or lost because its
  place was found to hold another video.
- `holders/{hash of the name}.json`: the video that goes by a name, so that a name's loser is known without reading all
  records.
- `holders/complete.json`: all names of the store have such a file. A store of an older version has none.
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
from pipeline.store.file_name_patterns import NOTE
from pipeline.store.record_json import parsed
from pipeline.types import VideoRecord

__all__ = ["NameFiles", "holder_file", "names_folder"]

_COMPLETE = "holders/complete.json"


def names_folder(video_id: str) -> str:
    """The folder of the names that a video gained or lost."""
    return f"names/{video_id}"


def holder_file(name: str) -> str:
    """The file that states which video holds a name."""
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
        kept = [name for name in record.names if name not in noted]
        former = [name for name in record.former_names if name not in noted]
        return replace(record, names=(*kept, *gained), former_names=(*former, *lost))

    def gain(self, video_id: str, name: str) -> None:
        """Write that a video has gained a name.

        Raises:
            StoreError: It could not be written.
        """
        self._note(video_id, {"name": name, "added_ns": time.time_ns()})

    def lose(self, video_id: str, name: str) -> None:
        """Write that a video has lost a name.

        Raises:
            StoreError: It could not be written.
        """
        self._note(video_id, {"name": name, "added_ns": time.time_ns(), "is_lost": True})

    def holder(self, name: str) -> str | None:
        """Read the id of the video that holds a name; None where it was not written.

        Raises:
            StoreError: It cannot be read.
        """
        try:
            return str(parsed(self.folder.read(holder_file(name)))["video_id"])
        except FileNotFoundError:
            return None
        except (OSError, KeyError, TypeError, ValueError) as error:
            problem = f"{self.folder.root}/{holder_file(name)}: cannot be read ({error}); delete this file"
            raise StoreError(problem) from error

    def hold(self, video_id: str, name: str) -> None:
        """Write which video holds a name.

        Raises:
            StoreError: It could not be written.
        """
        self.folder.write(holder_file(name), json.dumps({"video_id": video_id}).encode())

    def has_all_holders(self) -> bool:
        """Whether the holders of all names were written.

        Raises:
            StoreError: It cannot be looked for.
        """
        try:
            return self.folder.exists(_COMPLETE)
        except OSError as error:
            raise StoreError(f"{self.folder.root}/{_COMPLETE}: cannot be looked for: {error}") from error

    def note_holders(self, records: Iterable[VideoRecord]) -> dict[str, set[str]]:
        """Write the holders of all names of a store that an older version wrote.

        Where several videos go by one name, the one that was written last is taken to be at that place; the others lose
        the name.

        Args:
            records: Of all videos.

        Returns:
            By name, the videos that lost it.

        Raises:
            StoreError: Something could not be read or written.
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
    """A note as it was read.

    Raises:
        KeyError, TypeError: It is no note.
    """
    if not isinstance(note["name"], str) or not isinstance(note["added_ns"], int):
        raise TypeError("a name is a text, and was added at a number of nanoseconds")
    return note


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
