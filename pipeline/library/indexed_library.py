"""Open, verify, rebuild and move a library's index, and change or remove videos in store and index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Self

from pipeline.encode import Encoder
from pipeline.errors import IndexDamagedError
from pipeline.index import MomentIndex
from pipeline.library.config_checks import check_sampling
from pipeline.library.coverage import IndexCoverage
from pipeline.library.index_handle import LibraryIndex, check_writable
from pipeline.library.index_place import check_index_place, fill_elsewhere, target_of
from pipeline.library.labels.index_rows import LabelledRows, write_labels
from pipeline.library.maintenance import OnVideo, Rebuilt, Removed, rebuild, remove
from pipeline.library.privacy import apply_privacy, remembered_privacy
from pipeline.library.saved_config import LibraryFile, SavedConfig, write_library_file
from pipeline.library.stored_library import StoredLibrary
from pipeline.library.verification import Comparison, compare
from pipeline.library.videos import change_metadata, removable_id, with_changes
from pipeline.run_config import RunConfig
from pipeline.search.answer import Incomplete
from pipeline.types import LabelIntervals, Scalar, VideoRecord

__all__ = ["IndexedLibrary"]


class IndexedLibrary(StoredLibrary):
    """A stored library with its index, which is opened on first use. A context manager.

    Args:
        config: The library's configuration.
        encoder: The encoder whose embeddings the library stores.
        saved: The library's saved configuration, if it has been read already.

    Raises:
        ConfigError: A part of the configuration is of a class that a configuration file cannot name.
    """

    def __init__(self, config: RunConfig, encoder: Encoder, saved: SavedConfig | None = None) -> None:
        super().__init__(config, encoder, saved)
        self._index = LibraryIndex(self.config, encoder)
        self._coverage = IndexCoverage(self.config, self._saved)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the index; closing twice is harmless."""
        self._index.close()
        self._forget()

    def moment_index(self) -> MomentIndex:
        """Open the index on first use; one in memory is filled from the store.

        Raises:
            IndexLockedError: Another process has the index open, and does not share it.
            FingerprintMismatchError: The index holds another encoder's vectors.
            MomentIndexError: The index cannot be opened.
        """
        return self._opened_index(is_searched=False)

    def _opened_index(self, *, is_searched: bool) -> MomentIndex:
        """Open the index; one that is only searched need not start Milvus Lite."""
        return self._index.open(lambda index: rebuild(index, self.store, self.row_recipe), is_searched=is_searched)

    def renew(self) -> None:
        """Take note of what another process has indexed: an index in memory is made again on its next use."""
        if self.config.index.backend == "memory":
            self._index.close()
        self._forget()

    def set_metadata(
        self,
        videos: Iterable[str],
        entries: Mapping[str, Scalar],
        *,
        unset: Iterable[str] = (),
        dry_run: bool = False,
    ) -> list[VideoRecord]:
        """Change the metadata of videos, without reading their files; the other entries stay.

        After an interruption, call it again: videos that were changed stay changed.

        Args:
            videos: Names, paths, URIs, ids or patterns.
            entries: Entries to set.
            unset: Names of entries to remove.
            dry_run: Change nothing.

        Returns:
            The records of the videos whose metadata changed, as they are now.

        Raises:
            QueryError: A name matches no video, or an entry cannot be set or removed.
            MomentIndexError: The index cannot be written.
            StoreError: The library is read-only, or frame embeddings are broken.
        """
        names = tuple(videos)
        records = self.select(*names).records if names else ()
        changed = with_changes(records, entries, unset, self.config.search.recorded_at)
        if changed and not dry_run:
            check_sampling(self.config, self.saved_config())
            check_writable(self.config.library)
            check_index_place(self.config, self.saved_config())
            apply_privacy(self.config)
            self._claim()
            changed = list(change_metadata(self.moment_index(), self.store, self.row_recipe, changed))
            self._renew_catalogue(record.video_id for record in changed)
            self._forget()
        return changed

    def write_label_rows(
        self, videos: Sequence[VideoRecord] | None = None, *, on_video: OnVideo | None = None
    ) -> LabelledRows:
        """Write labels to the index's rows, as the library keeps them by now; rows that carry them are left alone.

        Where that was ended early, it goes on when it is run again.

        Args:
            videos: Records of the videos whose rows are looked at; None for all.
            on_video: Called with the number of videos done and their total.

        Raises:
            ConfigError: The library's frames were sampled under another configuration, or its index is elsewhere.
            MomentIndexError: The index cannot be read or written.
            StoreError: The library is read-only, or what is kept of the label set cannot be read.
        """
        check_sampling(self.config, self.saved_config())
        check_writable(self.config.library)
        apply_privacy(self.config)
        return self._write_labels(self.survey()[0] if videos is None else videos, on_video)

    def _write_labels(self, videos: Sequence[VideoRecord], on_video: OnVideo | None = None) -> LabelledRows:
        """Write labels to the rows of videos; an index in memory that is not open yet gets them when it is made."""
        check_index_place(self.config, self.saved_config())
        self._claim()
        if self._index.is_yet_to_be_made:
            return LabelledRows(len(videos), 0)

        def intervals_of(record: VideoRecord) -> LabelIntervals | None:
            current = self.labels.current()
            return None if current is None else current.intervals_of(record)

        return write_labels(self.moment_index(), self.store, intervals_of, videos, on_video=on_video)

    def find_removable(self, name: str) -> str:
        """Find the id of the one video with a name, or of an id that only the index still knows.

        Raises:
            QueryError: No video has this name, or several do.
            MomentIndexError: The index cannot be read.
        """
        return removable_id(self.find, self.moment_index(), self.store, name)

    def remove(self, name: str) -> Removed:
        """Remove a video, but not its file, from index and store, and check that nothing of it is left.

        After an interruption, call it again with the video's id.

        Raises:
            QueryError: No video has this name, or several do.
            MomentIndexError: The index cannot be written, or rows are still found.
            StoreError: The library is read-only, or a file cannot be removed or still exists.
        """
        check_writable(self.config.library)
        check_index_place(self.config, self.saved_config())
        apply_privacy(self.config)
        video_id = self.find_removable(name)
        removed = remove(self.moment_index(), self.store, video_id)
        self._forget()
        return removed

    def rebuild_index(self, *, on_video: OnVideo | None = None) -> Rebuilt:
        """Rebuild the index from the frame embeddings, with the configured segmentation and `index.kind`.

        The new index is built next to the old one, which it then replaces in one step, together with the changes that
        other processes make meanwhile. If the rebuild is interrupted, the old index stays in use. An index whose files
        are damaged is removed first.

        Args:
            on_video: Called with the number of videos done and their total.

        Raises:
            ConfigError: The segmentation needs cuts that a video lacks; or the library holds videos that were
                sampled under another configuration.
            MomentIndexError: The index cannot be written, or another rebuild is under way.
            StoreError: Frame embeddings are broken, or the library's file cannot be written.
        """
        check_sampling(self.config, self.saved_config())
        check_writable(self.config.library)
        apply_privacy(self.config)
        self._claim()
        try:
            rebuilt = rebuild(self.moment_index(), self.store, self.row_recipe, on_video=on_video)
        except IndexDamagedError as error:
            self._index.discard(error)
            rebuilt = rebuild(self.moment_index(), self.store, self.row_recipe, on_video=on_video)
        self._write_file()
        self._forget()
        return rebuilt

    def migrate_index(self, uri: str | None, *, on_video: OnVideo | None = None) -> Rebuilt:
        """Move the index to another place: fill it there from the frame embeddings, then use it from now on.

        Searches use the old index until all rows are there. After an interruption, call it again to continue. The old
        index is left as it is.

        Args:
            uri: A Milvus server, or a folder for Milvus Lite; None for the library's own folder.
            on_video: Called with the number of videos done and their total.

        Raises:
            ConfigError: The URI is neither, or the library holds videos that were sampled under another configuration.
            MomentIndexError: The index cannot be written.
            StoreError: Frame embeddings are broken, or the library's file cannot be written.
        """
        check_sampling(self.config, self.saved_config())
        check_writable(self.config.library)
        apply_privacy(self.config)
        target = target_of(self.config, uri)
        self._index.close()

        def switch() -> None:
            self.config = target
            self._index, self._coverage = LibraryIndex(target, self._encoder), IndexCoverage(target, self._saved)
            self._write_file()
            self._forget()

        recipe = self.row_recipe
        return fill_elsewhere(target, self._encoder, self.store, recipe, switch=switch, on_video=on_video)

    def incomplete(self) -> Incomplete | None:
        """Count the stored videos that the index lacks; None if it has as many.

        Counted at most every ten seconds, or less often if that takes long.

        Raises:
            MomentIndexError: The index cannot be used.
            StoreError: The stored videos cannot be listed.
        """
        return self._coverage.lacking(self._opened_index(is_searched=True), self.store)

    def outgrown_index(self) -> str | None:
        """Describe an index in Milvus Lite that has too many segments for it; None for any other index.

        Raises:
            MomentIndexError: The index cannot be used.
        """
        from pipeline.index.capacity import outgrown

        return outgrown(self.moment_index())

    def verify_index(self, *, on_video: OnVideo | None = None) -> Comparison:
        """Compare the index, row by row, with the frame embeddings; neither is changed.

        The files from which videos are listed and found by name are checked and updated.

        Args:
            on_video: Called with the number of videos done and their total.

        Raises:
            ConfigError: The segmentation needs cuts that a video lacks; or the library's frames were sampled under
                another configuration.
            MomentIndexError: The index cannot be read.
            StoreError: Frame embeddings are broken.
        """
        check_sampling(self.config, self.saved_config())
        comparison = compare(self.moment_index(), self.store, self.row_recipe, on_video=on_video)
        self._renew_catalogue()
        return comparison

    def _claim(self) -> None:
        if self._index.claim():
            self._forget()

    def _write_file(self) -> None:
        encoder, sampling = self._encoder, self.config.sampling_fingerprint
        config = remembered_privacy(self.config)
        write_library_file(LibraryFile(config, encoder.description, encoder.fingerprint, sampling))

    def _forget(self) -> None:
        super()._forget()
        self._coverage.forget()
