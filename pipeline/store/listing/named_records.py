"""Reads records with their current names, finds them by name, and adds and reassigns names."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

from pipeline.errors import StoreError
from pipeline.store.listing.file_names import FileNames
from pipeline.store.listing.record_list import RecordList
from pipeline.store.listing.video_names import NameFiles
from pipeline.store.loading import map_in_threads
from pipeline.store.open_frames_file import FramesFiles
from pipeline.types import VideoRecord

__all__ = ["NamedRecords"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NamedRecords:
    """The records of a store's videos, by id and by name.

    Attributes:
        files: The videos' files.
    """

    files: FramesFiles

    @property
    def names(self) -> NameFiles:
        """The names that videos gained or lost after they were written."""
        return NameFiles(self.files.folder)

    @property
    def all(self) -> RecordList:
        """The records of all videos."""
        return RecordList(self.files, self.names)

    @property
    def _file_names(self) -> FileNames:
        return FileNames(self.files.folder)

    def record(self, video_id: str) -> VideoRecord | None:
        """Read a video's record; None if the video is not in the store.

        Raises:
            StoreError: The video's file is broken, has another format or belongs to another store.
        """
        with self.files.opened(video_id, only_metadata=True) as file:
            return None if file is None else self.names.applied_to(file.record)

    def survey(self) -> tuple[list[VideoRecord], dict[str, StoreError]]:
        """Read all readable records, ordered by video id, and collect the errors of the others by id.

        Raises:
            StoreError: The store cannot be listed.
        """
        found = dict(self.all)
        broken = {video_id: error for video_id, error in found.items() if isinstance(error, StoreError)}
        return [record for record in found.values() if isinstance(record, VideoRecord)], broken

    def named(self, name: str) -> list[VideoRecord] | None:
        """Read the records of the videos that may have an id or a name; see `ParquetStore.named`."""
        try:
            candidates = self._file_names.candidates(name)
        except StoreError:
            return None
        if candidates is None:
            return None
        found = map_in_threads(self._readable, sorted(candidates), is_remote=self.files.folder.is_remote)
        return [record for record in found if record is not None]

    def note(self, video_id: str, names: Iterable[str]) -> None:
        """Add names to the index of file names, before a video gets them.

        Raises:
            StoreError: They could not be written.
        """
        self._file_names.add(video_id, names)
        if not self._is_index_checked:
            # In a store with videos of an older version, their names are added at the end of the batch.
            if not self._file_names.is_complete() and not self.files.video_ids():
                self._file_names.complete()
            self.__dict__["_is_index_checked"] = True

    def add_name(self, video_id: str, name: str) -> VideoRecord:
        """Add a name to a video, if it does not have it yet.

        Raises:
            StoreError: There is no such video, or the name could not be written.
        """
        record = self.record(video_id)
        if record is None:
            root = self.files.folder.root
            raise StoreError(f"{video_id}: cannot be named {name!r}: there is no such video in {root}")
        if name in record.names:
            return record
        self.note(video_id, (name,))
        self.names.gain(video_id, name)
        former = tuple(each for each in record.former_names if each != name)
        return replace(record, names=(*record.names, name), former_names=former)

    def take_name(self, video_id: str, name: str) -> tuple[str, ...]:
        """Assign a name to one video only; see `EmbeddingStore.take_name`.

        Raises:
            StoreError: A record cannot be read, or something could not be written.
        """
        replaced = self._replaced.pop(name, set())
        if video_id in replaced:
            # An older version let several videos have this name, and another one of them was written last.
            self.names.gain(video_id, name)
        holder = self.names.holder(name)
        if holder != video_id:
            record = None if holder is None else self.record(holder)
            if record is not None and name in record.names:
                self.names.lose(record.video_id, name)
                replaced.add(record.video_id)
            self.names.hold(video_id, name)
        return tuple(sorted(replaced - {video_id}))

    def renew(self, written: Iterable[str] | None) -> None:
        """Update the catalogue and the index of file names; see `ParquetStore.renew_catalogue`."""
        self.all.renew(self.files.video_ids() if written is None else written)
        try:
            if written is None or not self._file_names.is_complete():
                self._file_names.complete(self.survey()[0])
        except StoreError as error:
            _log.info("the index of file names was not updated: %s", error)

    def _readable(self, video_id: str) -> VideoRecord | None:
        with suppress(StoreError):
            return self.record(video_id)
        return None

    @cached_property
    def _is_index_checked(self) -> bool:
        return False

    @cached_property
    def _replaced(self) -> dict[str, set[str]]:
        """By name, the videos that lost it to one written later; only in a store of a version without holder files."""
        return {} if self.names.has_all_holders() else self.names.note_holders(self.survey()[0])
