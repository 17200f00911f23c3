"""Lists the records of a store: from valid entries of the catalogue, otherwise from the videos' files."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import StoreError
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.file_name_patterns import VIDEO_ID
from pipeline.store.frames_metadata import BROKEN
from pipeline.store.listing.catalogue import LEAST_VIDEOS, Catalogue, Entry, catalogue_file
from pipeline.store.listing.file_versions import VersionsOf
from pipeline.store.listing.video_names import NameFiles
from pipeline.store.loading import map_in_threads
from pipeline.store.open_frames_file import FramesFiles, file_of
from pipeline.types import VideoRecord
from pipeline.types.record_json import parsed, record_from, record_mapping

__all__ = ["RecordList"]

_log = logging.getLogger(__name__)

_RENEWED_SHARE = 0.02
"""Share of new or outdated entries above which a listing rewrites a file of the catalogue."""

_Found = VideoRecord | StoreError


class _Shard(NamedTuple):
    """The videos of one file of the catalogue.

    Attributes:
        name: Name of the file.
        video_ids: Ids of the videos that the store holds, in order.
        versions: Versions of their files, by id.
        entries: All entries of the file, by id.
    """

    name: str
    video_ids: Sequence[str]
    versions: Mapping[str, str]
    entries: Mapping[str, Entry]

    def copies(self) -> dict[str, Entry]:
        """Return the valid entries."""
        found = ((video_id, self.entries.get(video_id)) for video_id in self.video_ids)
        return {
            video_id: entry
            for video_id, entry in found
            if entry is not None and entry.version and entry.version == self.versions.get(video_id)
        }


@dataclass(frozen=True)
class RecordList:
    """Lists the records of a store, and updates its catalogue meanwhile.

    Attributes:
        files: The videos' files.
        names: The names that videos gained or lost after they were written.
    """

    files: FramesFiles
    names: NameFiles

    def __iter__(self) -> Iterator[tuple[str, _Found]]:
        """Yield the id and the record of each video, ordered by id; for a broken file, yield the error.

        Videos that are deleted during the listing may be missing. One file of the catalogue is read after another, and
        records are parsed one by one, so the first one is available immediately. Each file of the catalogue is
        rewritten once all of its videos were listed, if one of them was removed, or if more than 2 % of its entries
        are new or outdated.

        Raises:
            StoreError: The store cannot be listed.
        """
        renamed = self.names.renamed()
        video_ids, versions_of = self._listing()
        known = self._catalogue.files()
        is_large = len(video_ids) >= LEAST_VIDEOS
        for shard in self._shards(video_ids, versions_of, known):
            now = shard.copies()
            changed = 0
            for video_id, found in self._read(shard.video_ids, now):
                if not isinstance(found, StoreError) and video_id not in now and shard.versions.get(video_id):
                    now[video_id] = _entry(shard, found)
                    changed += 1
                yield video_id, self._with_names(found, renamed)
            if is_large and (shard.entries.keys() - now.keys() or changed > _RENEWED_SHARE * len(now)):
                self._write(shard.name, now)
        wanted = {catalogue_file(video_id) for video_id in video_ids} if is_large else set()
        for name in sorted(known - wanted):
            self._write(name, {})

    def containing(self, text: str) -> Iterator[_Found]:
        """Yield the records that contain a text, and possibly others, ordered by id; for a broken file, the error.

        Raises:
            StoreError: The store cannot be listed.
        """
        renamed = self.names.renamed()
        video_ids, versions_of = self._listing()
        escaped = json.dumps(text)[1:-1]
        for shard in self._shards(video_ids, versions_of, self._catalogue.files()):
            copies = shard.copies()
            others = {video_id for video_id, entry in copies.items() if escaped not in entry.record} - renamed
            for _, found in self._read([video_id for video_id in shard.video_ids if video_id not in others], copies):
                yield self._with_names(found, renamed)

    def some(self, video_ids: Sequence[str]) -> Iterator[tuple[str, _Found]]:
        """Yield the ids and records of some videos, in the order of the ids; for a broken file, the error.

        Only the files of the catalogue with these videos are read. Videos that are not there are left out.

        Args:
            video_ids: Ids in order.

        Raises:
            StoreError: The store cannot be listed.
        """
        renamed = self.names.renamed()
        folder = self.files.folder
        # On a disk, the status of each file is read; elsewhere, only a listing has what tells versions apart.
        versions_of = self._listing()[1] if folder.is_remote else _versions_in(folder)
        for shard in self._shards(video_ids, versions_of, self._catalogue.files()):
            for video_id, found in self._read(shard.video_ids, shard.copies()):
                yield video_id, self._with_names(found, renamed)

    def errors(self, video_ids: Sequence[str]) -> dict[str, StoreError]:
        """Return the errors of broken files among some videos, by id; records with a valid copy are not read.

        Args:
            video_ids: Ids in order.

        Raises:
            StoreError: The store cannot be listed.
        """
        found: dict[str, StoreError] = {}
        for shard in self._shards(video_ids, self._listing()[1], self._catalogue.files()):
            copies = shard.copies()
            others = [video_id for video_id in shard.video_ids if video_id not in copies]
            found |= {video_id: one for video_id, one in self._read(others, {}) if isinstance(one, StoreError)}
        return found

    def state(self) -> int | None:
        """Return a value that changes when a video's file is added, replaced or removed; None if nothing tells.

        On a disk, it is the time in ns when the folder itself was changed. Two changes within a tick of the file
        system's clock give the same value, so one that is younger than a second or two tells nothing.

        Raises:
            StoreError: The status of the folder cannot be read.
        """
        folder = self.files.folder
        try:
            return None if folder.is_remote else Path(folder.root).stat().st_mtime_ns
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{folder.root}: cannot be listed: {error}") from error

    def renew(self, written: Iterable[str]) -> None:
        """Update the catalogue after some videos were written: only the files with these videos, and missing files.

        If the catalogue cannot be written, that is only logged: the next listing reads the videos' own files.

        Args:
            written: Ids of the videos that were written.

        Raises:
            StoreError: The store cannot be listed.
        """
        video_ids, versions_of = self._listing()
        if len(video_ids) < LEAST_VIDEOS:
            return
        known = self._catalogue.files()
        current = known - {catalogue_file(video_id) for video_id in written}
        outdated = [video_id for video_id in video_ids if catalogue_file(video_id) not in current]
        for shard in self._shards(outdated, versions_of, known):
            now = shard.copies()
            for video_id, found in self._read(shard.video_ids, now):
                if not isinstance(found, StoreError) and shard.versions.get(video_id):
                    now[video_id] = now.get(video_id) or _entry(shard, found)
            if now != shard.entries:
                self._write(shard.name, now)

    @property
    def _catalogue(self) -> Catalogue:
        return Catalogue(self.files.folder)

    def _listing(self) -> tuple[list[str], VersionsOf]:
        """List the ids of the videos in order, and return the function that returns the versions of their files."""
        folder = self.files.folder
        try:
            names, versions_of = folder.listing(file_of(""))
        except OSError as error:
            raise StoreError(f"{folder.root}: cannot be listed: {error}") from error
        video_ids = (name.removesuffix(file_of("")) for name in names)
        return sorted(video_id for video_id in video_ids if VIDEO_ID.fullmatch(video_id)), versions_of

    def _shards(self, video_ids: Iterable[str], versions_of: VersionsOf, known: Collection[str]) -> Iterator[_Shard]:
        """Read the files of the catalogue, in the order of the ids; few are in memory at once."""
        groups = ((name, list(of_file)) for name, of_file in groupby(video_ids, catalogue_file))

        def read(group: tuple[str, list[str]]) -> _Shard:
            name, of_file = group
            try:
                versions = versions_of([file_of(video_id) for video_id in of_file])
            except OSError as error:
                raise StoreError(f"{self.files.folder.root}: cannot be listed: {error}") from error
            by_id = {video_id: versions.get(file_of(video_id), "") for video_id in of_file}
            return _Shard(name, of_file, by_id, self._catalogue.read(name) if name in known else {})

        return map_in_threads(read, groups, is_remote=self.files.folder.is_remote)

    def _read(self, video_ids: Sequence[str], copies: dict[str, Entry]) -> Iterator[tuple[str, _Found]]:
        """Read records as they were written; the copy of a damaged or broken one is removed from `copies`."""
        stale = [video_id for video_id in video_ids if video_id not in copies]
        read = map_in_threads(self._read_file, stale, is_remote=self.files.folder.is_remote) if stale else iter(())
        for video_id in video_ids:
            if video_id not in copies:
                found = next(read)
            elif (found := _parsed(video_id, copies[video_id].record)) is None:
                del copies[video_id]
                found = self._read_file(video_id)
            if found is not None:
                yield video_id, found

    def _read_file(self, video_id: str) -> _Found | None:
        try:
            with self.files.opened(video_id, only_metadata=True) as file:
                return None if file is None else file.record
        except StoreError as error:
            return error

    def _write(self, name: str, entries: Mapping[str, Entry]) -> None:
        try:
            self._catalogue.write(name, entries)
        except StoreError as error:
            _log.info("the catalogue was not updated: %s", error)

    def _with_names(self, found: _Found, renamed: frozenset[str]) -> _Found:
        if isinstance(found, StoreError) or found.video_id not in renamed:
            return found
        try:
            return self.names.applied_to(found)
        except StoreError as error:
            return error


def _versions_in(folder: AtomicFolder) -> VersionsOf:
    def versions_of(names: Iterable[str]) -> Mapping[str, str]:
        found = {}
        for name in names:
            # A link has no version; reading it gives its error.
            with suppress(StoreError):
                found[name] = folder.version(name)
        return {name: version for name, version in found.items() if version}

    return versions_of


def _entry(shard: _Shard, record: VideoRecord) -> Entry:
    return Entry(shard.versions[record.video_id], json.dumps(record_mapping(record)))


def _parsed(video_id: str, text: str) -> VideoRecord | None:
    """Parse the copy of a record; None if it is damaged."""
    try:
        record = record_from(parsed(text))
    except BROKEN:
        return None
    return record if record.video_id == video_id else None
