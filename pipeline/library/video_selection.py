"""Selecting videos by several criteria: the one method that a library, and what a server shows of one, have for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping

from pipeline.errors import StoreError
from pipeline.io.settings import Fetching
from pipeline.library.videos import SelectedVideos, select_videos, with_labels
from pipeline.search.filters.labels import LabelLookup
from pipeline.types import Scalar, VideoRecord

__all__ = ["VideoSelection"]


class VideoSelection(ABC):
    """Videos that can be selected. A subclass lists them, and looks up what is not in their records."""

    @abstractmethod
    def survey(self) -> tuple[list[VideoRecord], dict[str, StoreError]]:
        """Return the records of all videos, and by video id the errors of those whose files are broken."""

    @abstractmethod
    def _file_settings(self) -> Fetching:
        """Return the settings for looking up the files of videos.

        Raises:
            QueryError: They cannot be looked up from here.
        """

    @abstractmethod
    def _label_lookup(self) -> LabelLookup:
        """Return the labels of the videos.

        Raises:
            QueryError: There are none, or they cannot be looked up from here.
        """

    def select(
        self,
        *names: str,
        where: Mapping[str, Scalar] | None = None,
        missing: bool = False,
        labels: Iterable[str] = (),
        without_labels: Iterable[str] = (),
    ) -> SelectedVideos:
        """Select videos by all given criteria; without any, all videos. Videos whose files are broken are left out.

        Args:
            names: File names, paths, URIs, ids or patterns, such as "cam1/*.mp4".
            where: Entries that their metadata must have.
            missing: Only videos of which no file is left, as far as that can be determined.
            labels: Only videos that show each of these labels somewhere.
            without_labels: Only videos that show none of these labels anywhere. Videos without labels are not among
                them, but reported as `unlabelled`.

        Raises:
            QueryError: A name or a pattern matches no video, no video has metadata of one of the names, or the library
                has no labels, or none of one of the names.
            StoreError: The library cannot be listed.
        """
        wanted, unwanted = tuple(labels), tuple(without_labels)
        fetching = self._file_settings() if missing else None
        found = select_videos(self.survey()[0], names, where or {}, missing_by=fetching)
        return with_labels(found, self._label_lookup(), wanted, unwanted) if wanted or unwanted else found
