"""The embedding store: frame embeddings in Parquet, one file per video."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from pipeline.errors import StoreError
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.checks import check_frames, check_record, check_unit_length
from pipeline.store.checksum import FileState
from pipeline.store.file_name_patterns import NOTE, VIDEO_ID
from pipeline.store.frame_sample import FRAMES_OF_A_VIDEO, FrameSample, draw_sample, read_sample, write_sample
from pipeline.store.frames_file import check_size, read_columns, read_pts, read_some_vectors, write_frames
from pipeline.store.frames_metadata import (
    BROKEN,
    METADATA_KEY,
    Outline,
    broken_file,
    check_details,
    checksum_state,
    cuts_of,
    details_of,
)
from pipeline.store.record_json import fraction_from, parsed, record_from
from pipeline.store.video_names import NameFiles, names_folder
from pipeline.types import FrameEmbeddings, VideoRecord

__all__ = ["ParquetStore"]

T = TypeVar("T")


@dataclass(frozen=True)
class ParquetStore:
    """An `EmbeddingStore` at any fsspec URL: a path, memory://, s3://, gs://, ...

    Layout, below `{root_url}/frames/{sampling_fingerprint}-{encoder_fingerprint}/`:

    - `{video_id}.parquet`: columns time_seconds (float64), pts (int64), embedding (fixed-size list of float32) and, if
      the sampling provides it, seen_until_seconds (float64). The file's metadata has all other data as JSON, under the
      key "momentseek": the record, cuts, duration, step, time base, both fingerprints, the versions of the packages
      that wrote it and the format number. Each page has a checksum, and so has the whole file (see `checksum`).
    - `background.npz`: a sample of the frame embeddings; see `frame_sample`.
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
        with self._folder.writing(_file_of(record.video_id)) as file:
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
        columns, details = self._opened(video_id, read_columns) or self._refuse(video_id)
        try:
            return check_frames(
                FrameEmbeddings(
                    video_id=video_id,
                    pts=columns.pts,
                    time_base=fraction_from(details["time_base"]),
                    times_seconds=columns.times_seconds,
                    vectors=columns.vectors,
                    cuts_seconds=cuts_of(details),
                    duration_seconds=details["duration_seconds"],
                    seen_until_seconds=columns.seen_until_seconds,
                    step_seconds=details.get("step_seconds"),
                )
            )
        except BROKEN as error:
            raise broken_file(self._path(video_id), error) from error

    def outline(self, video_id: str) -> Outline:
        """Read a video's timestamps and cuts, without its embeddings.

        Raises:
            StoreError: As for `read`.
        """
        (pts, dimension), details = self._opened(video_id, read_pts) or self._refuse(video_id)
        try:
            return Outline(pts, dimension, cuts_of(details))
        except BROKEN as error:
            raise broken_file(self._path(video_id), error) from error

    def file_state(self, video_id: str) -> FileState:
        """Compare a video's file with its checksum; this reads the whole file.

        Files of older versions have no checksum. A file that cannot be read as Parquet counts as changed.

        Raises:
            StoreError: There is no such video, or its file cannot be opened.
        """
        if not VIDEO_ID.fullmatch(video_id):
            self._refuse(video_id)
        try:
            with self._folder.open(_file_of(video_id)) as file:
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
        opened = self._opened(video_id, lambda parquet: int(parquet.metadata.num_rows))
        if opened is None:
            return None
        count, details = opened
        try:
            record = check_record(record_from(details["record"]), count)
        except BROKEN as error:
            raise broken_file(self._path(video_id), error) from error
        return self._names.applied_to(record)

    def records(self) -> Iterator[VideoRecord]:
        """Read all records, ordered by video id, without vectors; videos deleted in the meantime may be missing.

        Raises:
            StoreError: The store cannot be listed, or a file is broken (`survey` skips broken files).
        """
        for video_id in self.video_ids():
            record = self.record(video_id)
            if record is not None:
                yield record

    def survey(self) -> tuple[list[VideoRecord], dict[str, StoreError]]:
        """Read all readable records, ordered by video id, and collect the errors of the others by id.

        Raises:
            StoreError: The store cannot be listed.
        """
        records: list[VideoRecord] = []
        broken: dict[str, StoreError] = {}
        for video_id in self.video_ids():
            try:
                record = self.record(video_id)
            except StoreError as error:
                broken[video_id] = error
                continue
            if record is not None:
                records.append(record)
        return records, broken

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
        """Read a few of a video's vectors, float32 (M, D), always the same; None if the video is not in the store."""
        if not VIDEO_ID.fullmatch(video_id):
            return None
        try:
            with self._folder.open(_file_of(video_id)) as file:
                seed = int.from_bytes(hashlib.sha256(video_id.encode()).digest()[:4])
                parquet = pq.ParquetFile(file)
                check_size(parquet)
                vectors = read_some_vectors(parquet, FRAMES_OF_A_VIDEO, seed)
                check_unit_length(vectors)
                return vectors
        except FileNotFoundError:
            return None
        except BROKEN as error:
            raise broken_file(self._path(video_id), error) from error

    def video_ids(self) -> list[str]:
        """List the ids of all videos, sorted.

        Raises:
            StoreError: The store cannot be listed.
        """
        try:
            names = self._folder.list("", ".parquet")
        except OSError as error:
            raise StoreError(f"{self._folder.root}: cannot be listed: {error}") from error
        ids = (name.removesuffix(".parquet") for name in names)
        return sorted(video_id for video_id in ids if VIDEO_ID.fullmatch(video_id))

    def add_name(self, video_id: str, name: str) -> VideoRecord:
        """Add a name to a video, if it does not have it yet.

        Raises:
            StoreError: There is no such video, or the name could not be written.
        """
        record = self.record(video_id)
        if record is None:
            raise StoreError(f"{video_id}: cannot be named {name!r}: there is no such video in {self._folder.root}")
        if name in record.names:
            return record
        self._names.gain(video_id, name)
        former = tuple(each for each in record.former_names if each != name)
        return replace(record, names=(*record.names, name), former_names=former)

    def take_name(self, video_id: str, name: str) -> tuple[str, ...]:
        """Assign a name to this video only, since it was found at that location; for others it becomes a former name.

        Returns:
            The ids of the videos that lost the name.

        Raises:
            StoreError: A record cannot be read, or something could not be written.
        """
        replaced = self._replaced.pop(name, set())
        if video_id in replaced:
            # An older version let several videos have this name, and another one of them was written last.
            self._names.gain(video_id, name)
        holder = self._names.holder(name)
        if holder != video_id:
            record = None if holder is None else self.record(holder)
            if record is not None and name in record.names:
                self._names.lose(record.video_id, name)
                replaced.add(record.video_id)
            self._names.hold(video_id, name)
        return tuple(sorted(replaced - {video_id}))

    @property
    def _names(self) -> NameFiles:
        return NameFiles(self._folder)

    @cached_property
    def _replaced(self) -> dict[str, set[str]]:
        """By name, the videos that lost it to one written later; only in a store of a version without holder files."""
        return {} if self._names.has_all_holders() else self._names.note_holders(self.survey()[0])

    def delete(self, video_id: str) -> bool:
        """Delete a video; return whether it existed.

        Raises:
            StoreError: The video's file cannot be removed.
        """
        if not VIDEO_ID.fullmatch(video_id):
            return False
        try:
            existed = self._folder.delete(_file_of(video_id))
            self._folder.delete_folder(names_folder(video_id), NOTE)
        except OSError as error:
            raise StoreError(f"{self._path(video_id)}: cannot be removed: {error}") from error
        return existed

    def _opened(self, video_id: str, read: Callable[[pq.ParquetFile], T]) -> tuple[T, dict[str, Any]] | None:
        """Read from a video's file and check that it belongs to this store; None if the video is not in the store."""
        if not VIDEO_ID.fullmatch(video_id):
            return None
        try:
            with self._folder.open(_file_of(video_id)) as file:
                parquet = pq.ParquetFile(file, page_checksum_verification=True)
                details = parsed((parquet.schema_arrow.metadata or {})[METADATA_KEY])
                check_details(details, {"video_id": video_id, **self._fingerprints}, self._path(video_id))
                check_size(parquet)
                found = read(parquet)
        except FileNotFoundError:
            return None
        except BROKEN as error:
            raise broken_file(self._path(video_id), error) from error
        return found, details

    def _refuse(self, video_id: str) -> NoReturn:
        raise StoreError(f"{video_id}: there is no such video in {self._folder.root}; index it first")

    def _path(self, video_id: str) -> str:
        return f"{self._folder.root}/{_file_of(video_id)}"


def _file_of(video_id: str) -> str:
    return f"{video_id}.parquet"
