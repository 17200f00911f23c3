"""The file names of a store's videos: an index from which videos are found by name without listing all of them.

For each name that a video has or had, there is an empty file whose own name contains the hash of the name's file name,
without its extension, and the video's id: `filenames/{first two digits of the hash}/{hash}.{video_id}`. It is written
before the video gets the name, and is not removed when the video loses it. The index thus lists all videos with a file
name, and possibly others, whose records then tell. Like the other files of names, it needs no lock.

`filenames/complete` states that all names of the store are in the index. Stores of older versions lack it until they
are upgraded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from pipeline.errors import StoreError
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.file_name_patterns import FILE_NAME_ENTRY, FILE_NAMES_FOLDER, VIDEO_ID
from pipeline.store.loading import map_in_threads
from pipeline.types import VideoRecord
from pipeline.uris import base_name, kept_name

__all__ = ["FileNames", "file_name_entries", "file_name_folders"]

_COMPLETE = f"{FILE_NAMES_FOLDER}/complete"


def file_name_entries(video_id: str, names: Iterable[str]) -> frozenset[str]:
    """Return the files of the index, below the store's folder, that a video with some names has."""
    forms = {form for name in names for form in (_stem(name), _stem(kept_name(name)))}
    return frozenset(f"{_folder(hashed)}/{hashed}.{video_id}" for hashed in map(_hash, forms))


def file_name_folders() -> tuple[str, ...]:
    """Return all folders of the index, below the store's folder."""
    return tuple(f"{FILE_NAMES_FOLDER}/{number:02x}" for number in range(256))


@dataclass(frozen=True)
class FileNames:
    """The index of the file names of a store.

    Attributes:
        folder: The store's folder.
    """

    folder: AtomicFolder

    def add(self, video_id: str, names: Iterable[str]) -> None:
        """Add the names of a video.

        Raises:
            StoreError: They could not be written.
        """
        for entry in sorted(file_name_entries(video_id, names)):
            self._add(entry)

    def candidates(self, name: str) -> frozenset[str] | None:
        """Return the ids of all videos that may have a name, as an id, path, URI, file name or without its extension.

        Returns:
            These ids, which may be of videos that no longer exist; None if not all names are in the index.

        Raises:
            StoreError: The index cannot be read.
        """
        base = base_name(name)
        hashes = {_hash(text) for text in (base, _stem(base), _stem(kept_name(name)))}
        jobs: list[Callable[[], frozenset[str]]] = [self._is_complete]
        jobs += [partial(self._ids, one) for one in sorted(hashes)]
        try:
            is_complete, *found = map_in_threads(lambda job: job(), jobs, is_remote=self.folder.is_remote)
        except OSError as error:
            raise StoreError(f"{self.folder.root}/{FILE_NAMES_FOLDER}: cannot be listed: {error}") from error
        own = {name} if VIDEO_ID.fullmatch(name) else set()
        return frozenset(own.union(*found)) if is_complete else None

    def is_complete(self) -> bool:
        """Whether all names of the store are in the index.

        Raises:
            StoreError: The index cannot be read.
        """
        try:
            return bool(self._is_complete())
        except OSError as error:
            raise StoreError(f"{self.folder.root}/{_COMPLETE}: cannot be checked: {error}") from error

    def complete(self, records: Iterable[VideoRecord] = ()) -> None:
        """Add the names of all videos, and state that the index is complete.

        Args:
            records: The records of the videos that the store holds; all other videos must be in the index.

        Raises:
            StoreError: The index cannot be read or written.
        """
        entries = {
            entry
            for record in records
            for entry in file_name_entries(record.video_id, (*record.names, *record.former_names))
        }
        if entries:
            for known in map_in_threads(self._entries, file_name_folders(), is_remote=self.folder.is_remote):
                entries.difference_update(known)
        for _ in map_in_threads(self._add, sorted(entries), is_remote=self.folder.is_remote):
            pass
        self.folder.write(_COMPLETE, b"{}")

    def _add(self, entry: str) -> None:
        # File systems with a journal keep the order: an entry is on the disk once a later, synced file is.
        self.folder.write(entry, b"", is_synced=False)

    def _is_complete(self) -> frozenset[str]:
        return frozenset([_COMPLETE] if self.folder.exists(_COMPLETE) else [])

    def _entries(self, folder: str) -> frozenset[str]:
        try:
            found = self.folder.list(folder, "")
        except OSError as error:
            raise StoreError(f"{self.folder.root}/{folder}: cannot be listed: {error}") from error
        return frozenset(entry for entry in found if FILE_NAME_ENTRY.fullmatch(entry.rpartition("/")[2]))

    def _ids(self, hashed: str) -> frozenset[str]:
        """Return the ids of the videos with a hash, which may be those of several file names."""
        prefix = f"{_folder(hashed)}/{hashed}."
        entries = self._entries(_folder(hashed))
        return frozenset(entry.removeprefix(prefix) for entry in entries if entry.startswith(prefix))


def _folder(hashed: str) -> str:
    return f"{FILE_NAMES_FOLDER}/{hashed[:2]}"


def _stem(name: str) -> str:
    base = base_name(name)
    return base.rpartition(".")[0] or base


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
