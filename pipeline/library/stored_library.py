"""List, find, select and read a library's stored videos, without its model or index."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.encode import Encoder
from pipeline.errors import QueryError, StoreError
from pipeline.io.settings import Fetching
from pipeline.library.labels.current_labels import LibraryLabels
from pipeline.library.saved_config import LibraryFile, SavedConfig
from pipeline.library.video_selection import VideoSelection
from pipeline.library.videos import find_video
from pipeline.library.wiring import indexed_videos
from pipeline.run_config import RunConfig, check_classes
from pipeline.search.filters.labels import LabelLookup
from pipeline.search.filters.video_names import VideoNames
from pipeline.segment.row_recipe import RowRecipe
from pipeline.store import FailureLog, ParquetStore
from pipeline.types import FailedSource, FrameEmbeddings, VideoRecord
from pipeline.video import IndexedVideos

if TYPE_CHECKING:
    from pipeline.runs.log import RunLog

__all__ = ["StoredLibrary"]

_log = logging.getLogger(__name__)


class StoredLibrary(VideoSelection):
    """The records and frame embeddings of a library's videos, its failures and its run reports.

    Args:
        config: The library's configuration.
        encoder: The encoder whose embeddings the library stores.
        saved: The library's saved configuration, if it has been read already.

    Raises:
        ConfigError: A part of the configuration is of a class that a configuration file cannot name.
    """

    def __init__(self, config: RunConfig, encoder: Encoder, saved: SavedConfig | None = None) -> None:
        self.config = check_classes(config)
        self._encoder = encoder
        # An override may name another library than the one whose configuration was read.
        self._saved = saved if saved is not None and saved.library == config.library else SavedConfig(config.library)
        self._names = VideoNames()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.config.library!r}, {self._encoder.description})"

    @property
    def store(self) -> ParquetStore:
        """The store of the frame embeddings."""
        return ParquetStore(self.config.library, self.config.sampling_fingerprint, self._encoder.fingerprint)

    @cached_property
    def indexed_videos(self) -> IndexedVideos:
        """Opens the library's videos at any of their names that still holds the indexed content."""
        return indexed_videos(self.config, self.store)

    @cached_property
    def labels(self) -> LibraryLabels:
        """The labels of the library's videos, by the label set that it was labelled with last."""
        return LibraryLabels(self.config.library, self.store)

    @property
    def row_recipe(self) -> RowRecipe:
        """The recipe that makes the index's rows from frame embeddings, with their labels."""
        return replace(self.config.row_recipe, labels=self.labels)

    def saved_config(self) -> LibraryFile | None:
        """The configuration that the library was last indexed with; None if nothing was ever indexed into it.

        Raises:
            StoreError: The library's file cannot be read.
            ConfigError: The file is of another version, or its configuration is not valid here.
        """
        return self._saved.read()

    def videos(self) -> list[VideoRecord]:
        """List the record of each video, ordered by id.

        Raises:
            StoreError: A video's file is broken; `survey` continues with the others.
        """
        return list(self.store.records())

    def survey(self) -> tuple[list[VideoRecord], dict[str, StoreError]]:
        """List the readable records like `videos`; and, by id, the errors of videos whose files are broken.

        Raises:
            StoreError: The library cannot be listed.
        """
        return self.store.survey()

    def listed(self) -> Iterator[VideoRecord | StoreError]:
        """Read the records like `survey`, one by one: the first one is there before the last one is read.

        Raises:
            StoreError: The library cannot be listed.
        """
        return self.store.listed()

    def failures(self) -> list[FailedSource]:
        """List the sources whose latest attempt failed, oldest first; pass their `source` to `index` to retry them.

        Raises:
            StoreError: The list of failures cannot be read.
        """
        return list(FailureLog(self.config.library))

    def runs(self) -> RunLog:
        """Open the reports of this library's runs, including one that is in progress."""
        from pipeline.runs.log import RunLog

        return RunLog(self.config.library)

    def frames(self, name: str) -> FrameEmbeddings:
        """Read the times and embeddings of a video's sampled frames, as read-only NumPy arrays.

        In the result, `times_seconds` is float64 (N,), in seconds from the start of playback, increasing; `vectors` is
        float32 (N, D), with rows of unit length, so that `vectors @ vectors[0]` are cosines with the first frame.

        Args:
            name: The video's id, or a file name, path or URI of one video.

        Raises:
            QueryError: No video has this name, or several do.
            StoreError: The video's file is broken.
        """
        found = self.find(name)
        if len(found) > 1:
            raise QueryError(f"{len(found)} videos have the name {name!r}; give an id instead: {', '.join(found)}")
        return self.store.read(found[0])

    def find(self, *names: str) -> tuple[str, ...]:
        """Find the ids of videos by their names: file names, paths, URIs or ids.

        Raises:
            QueryError: No video has one of the names; the message has the nearest names.
        """
        return tuple(dict.fromkeys(video_id for name in names for video_id in self._found(name)))

    def _file_settings(self) -> Fetching:
        return self.config.fetching

    def _label_lookup(self) -> LabelLookup:
        return self.labels.required()

    def _found(self, name: str) -> tuple[str, ...]:
        return find_video(self._names, self.store, self.survey, name)

    def _renew_catalogue(self, written: Iterable[str] | None = None) -> None:
        """Update the catalogue and the index of file names, or create them in a library of an older version."""
        try:
            self.store.renew_catalogue(written)
        except StoreError as error:
            _log.info("the catalogue was not updated: %s", error)

    def _forget(self) -> None:
        self._names.forget()
