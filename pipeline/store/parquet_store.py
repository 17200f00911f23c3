"""The embedding store: frame embeddings in Parquet, one file per video."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from pipeline.errors import StoreError
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.checksum import FileState
from pipeline.store.file_name_patterns import NOTE, VIDEO_ID
from pipeline.store.frame_sample import FrameSample, draw_sample, read_sample, write_sample
from pipeline.store.frames_file import write_frames
from pipeline.store.frames_metadata import METADATA_KEY, Outline, broken_file, checksum_state, details_of
from pipeline.store.listing.catalogue import Catalogue
from pipeline.store.listing.named_records import NamedRecords
from pipeline.store.listing.record_list import RecordList
from pipeline.store.listing.video_names import names_folder
from pipeline.store.loading import IsWanted, Loaded, LoadedVideo, map_in_threads, read_ahead, read_in_batches
from pipeline.store.open_frames_file import FramesFiles, file_of
from pipeline.types import FrameEmbeddings, VideoRecord

__all__ = ["ParquetStore"]

_READ_TOGETHER = 64
"""Number of small files that are read at once. On a server, the next ones are read meanwhile."""


@dataclass(frozen=True)
class ParquetStore:
    """An `EmbeddingStore` at any fsspec URL: a path, memory://, s3://, gs://, ...

    Layout, below `{root_url}/frames/{sampling_fingerprint}-{encoder_fingerprint}/`:

    - `{video_id}.parquet`: columns time_seconds (float64), pts (int64), embedding (fixed-size list of float32) and, if
      the sampling provides it, seen_until_seconds (float64). The file's metadata has all other data as JSON, under the
      key "momentseek": the record, cuts, duration, step, time base, both fingerprints, the versions of the packages
      that wrote it and the format number. Each page has a checksum, and so has the whole file (see `checksum`).
    - `background.npz`: a sample of the frame embeddings; see `frame_sample`.
    - `catalogue/`: copies of the records, from which all videos are listed; see `catalogue`.
    - `filenames/`: an index of the videos' file names; see `file_names`.
    - `names/` and `holders/`: changes to the names of videos; see `video_names`. When a video is written again or
      deleted, its files in `names/` are removed.

    Files are written atomically (see `AtomicFolder`). The constructor does no I/O, and the object can be pickled.

    Attributes:
        root_url: Root of all stores of a library; a path is made absolute at once.
        sampling_fingerprint: Fingerprint of the sampling that selected the frames.
        encoder_fingerprint: Fingerprint of the encoder that made the embeddings.
    """

    root_url: str
    sampling_fingerprint: str
    encoder_fingerprint: str

    def __post_init__(self) -> None:
        for name in ("sampling_fingerprint", "encoder_fingerprint"):
            if not VIDEO_ID.fullmatch(getattr(self, name)):
                raise ValueError(f"{name} becomes part of a path, so it cannot be {getattr(self, name)!r}")
        if "://" not in self.root_url:
            # Workers may have another working directory.
            object.__setattr__(self, "root_url", str(Path(self.root_url).expanduser().absolute()))

    def __getstate__(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @property
    def _fingerprints(self) -> dict[str, str]:
        return {"sampling_fingerprint": self.sampling_fingerprint, "encoder_fingerprint": self.encoder_fingerprint}

    @cached_property
    def _records(self) -> NamedRecords:
        return NamedRecords(self._files)

    @cached_property
    def _files(self) -> FramesFiles:
        return FramesFiles(self._folder, self._fingerprints)

    @cached_property
    def _folder(self) -> AtomicFolder:
        return AtomicFolder(self.root_url, f"frames/{self.sampling_fingerprint}-{self.encoder_fingerprint}")

    def write(self, record: VideoRecord, frames: FrameEmbeddings) -> None:
        """Write a video's record and frame embeddings, replacing earlier ones and names that were added later.

        Raises:
            ValueError: Record and frames do not belong together, or the id is not valid in a file name.
            StoreError: The video could not be written; no partial result is visible.
        """
        if record.video_id != frames.video_id or record.frame_count != len(frames):
            raise ValueError(
                f"the record of {record.video_id} ({record.frame_count} frames) does not fit the embeddings of"
                f" {frames.video_id} ({len(frames)} frames)"
            )
        if not VIDEO_ID.fullmatch(record.video_id):
            raise ValueError(f"a video id becomes a file name, so it cannot be {record.video_id!r}")
        self._records.note(record.video_id, (*record.names, *record.former_names))
        with self._folder.writing(file_of(record.video_id)) as file:
            write_frames(
                file, frames, {METADATA_KEY: json.dumps(details_of(record, frames, self._fingerprints)).encode()}
            )
        try:
            self._folder.delete_folder(names_folder(record.video_id), NOTE)
        except OSError as error:
            raise StoreError(f"{record.video_id}: was stored, but its old names cannot be removed: {error}") from error

    def read(self, video_id: str) -> FrameEmbeddings:
        """Read a video's frame embeddings.

        Raises:
            StoreError: There is no such video, or its file is broken, has another format or belongs to another store.
        """
        with self._files.opened(video_id) as file:
            return self._refuse(video_id) if file is None else file.frames()

    def load_many(self, video_ids: Iterable[str], is_wanted: IsWanted) -> Iterator[Loaded]:
        """Read records and frame embeddings in the order of the ids; see `load_videos`.

        Each file is opened once. Small files on a server are read by one request each, many at a time. Small local
        files are decoded by this thread, and batches with large ones in parallel: for a small file, threads would spend
        more time waiting for each other than working.

        Raises:
            StoreError: The store cannot be listed.
        """
        load = partial(self._load, self._records.names.renamed(), is_wanted)
        is_remote = self._folder.is_remote
        batches = read_ahead if is_remote else read_in_batches
        for read in batches(self._contents, video_ids, _READ_TOGETHER):
            if any(content is None for _, content in read):
                yield from map_in_threads(load, read, is_remote=is_remote)
            else:
                yield from map(load, read)

    def _contents(self, video_ids: Sequence[str]) -> list[tuple[str, bytes | Exception | None]]:
        return list(zip(video_ids, self._files.contents(video_ids), strict=True))

    def _load(self, renamed: frozenset[str], is_wanted: IsWanted, read: tuple[str, bytes | Exception | None]) -> Loaded:
        video_id, content = read
        try:
            with self._files.opened(video_id, content=content) as file:
                if file is None:
                    return None
                record = self._records.names.applied_to(file.record) if video_id in renamed else file.record
                return LoadedVideo(record, file.frames() if is_wanted(record) else None)
        except StoreError as error:
            return error

    def outline(self, video_id: str) -> Outline:
        """Read a video's timestamps and cuts, without its embeddings.

        Raises:
            StoreError: As for `read`.
        """
        with self._files.opened(video_id) as file:
            return self._refuse(video_id) if file is None else file.outline()

    def file_state(self, video_id: str) -> FileState:
        """Compare a video's file with its checksum; this reads the whole file.

        Files of older versions have no checksum. A file that cannot be read as Parquet counts as changed.

        Raises:
            StoreError: There is no such video, or its file cannot be opened.
        """
        if not VIDEO_ID.fullmatch(video_id):
            self._refuse(video_id)
        try:
            with self._folder.open(file_of(video_id)) as file:
                return checksum_state(file)
        except FileNotFoundError:
            self._refuse(video_id)
        except OSError as error:
            raise broken_file(self._path(video_id), error) from error

    def record(self, video_id: str) -> VideoRecord | None:
        """Read a video's record, without its vectors; None if the video is not in the store.

        Raises:
            StoreError: The video's file is broken, has another format or belongs to another store.
        """
        return self._records.record(video_id)

    def records(self) -> Iterator[VideoRecord]:
        """Read all records, ordered by video id, without vectors; videos deleted in the meantime may be missing.

        Raises:
            StoreError: The store cannot be listed, or a file is broken (`survey` skips broken files).
        """
        for found in self.listed():
            if isinstance(found, StoreError):
                raise found
            yield found

    def listed(self) -> Iterator[VideoRecord | StoreError]:
        """Read all records one by one, ordered by video id; in place of the record of a broken file, its error.

        Raises:
            StoreError: The store cannot be listed.
        """
        return (found for _, found in self._records.all)

    def survey(self) -> tuple[list[VideoRecord], dict[str, StoreError]]:
        """Read all readable records, ordered by video id, and collect the errors of the others by id.

        Raises:
            StoreError: The store cannot be listed.
        """
        return self._records.survey()

    @property
    def listing(self) -> RecordList:
        """Reads the records of some videos, or the errors of broken ones."""
        return self._records.all

    def named(self, name: str) -> list[VideoRecord] | None:
        """Read the records of the videos that may have an id or a name, without listing others.

        Args:
            name: An id, path, URI, or file name with or without its extension.

        Returns:
            The records, ordered by id, possibly with some others; broken ones are left out. None if only a list of all
            videos can tell.
        """
        return self._records.named(name)

    def records_containing(self, text: str) -> list[VideoRecord]:
        """Read the readable records that contain a text, and perhaps some others, ordered by video id.

        Raises:
            StoreError: The store cannot be listed.
        """
        return [found for found in self._records.all.containing(text) if isinstance(found, VideoRecord)]

    def frame_sample(self, rows: int) -> FrameSample:
        """Sample a few frame embeddings of many videos; the sample is saved, and renewed if the library's size changes.

        Args:
            rows: Current number of rows in the index, to detect growth.

        Raises:
            StoreError: The store cannot be listed.
        """
        saved = read_sample(self._folder)
        if saved is not None and saved.is_fresh(rows) and self._has_dimension_of(saved):
            return saved
        sample = draw_sample(self.video_ids(), self.some_vectors, rows)
        if len(sample.vectors):
            write_sample(self._folder, sample)
        return sample

    def _has_dimension_of(self, sample: FrameSample) -> bool:
        """Whether the sample's vectors have the dimension of the stored embeddings."""
        if not sample.video_ids:
            return not len(sample.vectors)
        vectors = self.some_vectors(sample.video_ids[0])
        return vectors is not None and vectors.shape[1] == sample.vectors.shape[1]

    def some_vectors(self, video_id: str) -> npt.NDArray[np.float32] | None:
        """Read a few of a video's vectors, float32 (M, D), always the same; None if the video is not in the store.

        Raises:
            StoreError: The video's file is broken.
        """
        return self._files.some_vectors(video_id)

    def video_ids(self) -> list[str]:
        """List the ids of all videos, sorted.

        Raises:
            StoreError: The store cannot be listed.
        """
        return self._files.video_ids()

    def add_name(self, video_id: str, name: str) -> VideoRecord:
        """Add a name to a video, if it does not have it yet.

        Raises:
            StoreError: There is no such video, or the name could not be written.
        """
        return self._records.add_name(video_id, name)

    def take_name(self, video_id: str, name: str) -> tuple[str, ...]:
        """Assign a name to this video only, since it was found at that location; for others it becomes a former name.

        Returns:
            The ids of the videos that lost the name.

        Raises:
            StoreError: A record cannot be read, or something could not be written.
        """
        return self._records.take_name(video_id, name)

    def delete(self, video_id: str) -> bool:
        """Delete a video; return whether it existed.

        Raises:
            StoreError: The video's file cannot be removed.
        """
        if not VIDEO_ID.fullmatch(video_id):
            return False
        try:
            existed = self._folder.delete(file_of(video_id))
            self._folder.delete_folder(names_folder(video_id), NOTE)
            Catalogue(self._folder).forget(video_id)
        except OSError as error:
            raise StoreError(f"{self._path(video_id)}: cannot be removed: {error}") from error
        return existed

    def renew_catalogue(self, written: Iterable[str] | None = None) -> None:
        """Update the files from which videos are listed and found by name, for instance at the end of a batch.

        If they cannot be written, that is only logged, since they are a cache.

        Args:
            written: Ids of the videos that were written; None to check all.

        Raises:
            StoreError: The store cannot be listed.
        """
        self._records.renew(written)

    def _refuse(self, video_id: str) -> NoReturn:
        raise StoreError(f"{video_id}: there is no such video in {self._folder.root}; index it first")

    def _path(self, video_id: str) -> str:
        return f"{self._folder.root}/{file_of(video_id)}"
