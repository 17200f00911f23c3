"""Opens a video's frames file in a store, checks that it belongs there, and reads its record and its embeddings."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import StoreError
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.checks import check_frames, check_record, check_unit_length
from pipeline.store.checksum import footer_bytes
from pipeline.store.file_name_patterns import VIDEO_ID
from pipeline.store.frame_sample import FRAMES_OF_A_VIDEO
from pipeline.store.frames_file import check_size, read_columns, read_pts, read_some_vectors
from pipeline.store.frames_metadata import (
    BROKEN,
    METADATA_KEY,
    Outline,
    broken_file,
    check_details,
    cuts_of,
)
from pipeline.types import FrameEmbeddings, VideoRecord
from pipeline.types.record_json import fraction_from, parsed, record_from

__all__ = ["FramesFiles", "OpenFramesFile", "file_of"]

_WHOLE_BYTES = 16 * 2**20
"""Smaller files on a server are read whole, with one request: two hours of frames at one frame per second."""

_TOGETHER_BYTES = 2**20
"""Files on a server up to this size are read many at once: ten minutes of frames at one frame per second."""

_TOGETHER_LOCAL_BYTES = 2**17
"""Local files up to this size are read together: 80 frames of 512 numbers. Decoding them takes less time than what
threads take to hand over Python's lock."""

_WHOLE_LOCAL_BYTES = 2**20
"""Local files up to this size are read whole: ten minutes of frames at one frame per second."""


_METADATA_BYTES = 2**16
"""The end of a file that is read for its metadata; most have 4 KiB or less."""


def file_of(video_id: str) -> str:
    """Return the name of a video's file."""
    return f"{video_id}.parquet"


@dataclass(frozen=True)
class OpenFramesFile:
    """A video's open file. Reading a damaged file raises one of `BROKEN`, which `FramesFiles.opened` translates.

    Attributes:
        video_id: The video's id.
        parquet: The open file.
        schema: The schema of the file.
        details: The file's metadata, which has been checked to belong to this video and store.
    """

    video_id: str
    parquet: pq.ParquetFile
    schema: pa.Schema
    details: Mapping[str, Any]

    @cached_property
    def record(self) -> VideoRecord:
        """The video's record, with the names that it was written with."""
        return check_record(record_from(self.details["record"]), int(self.parquet.metadata.num_rows))

    def frames(self) -> FrameEmbeddings:
        """Read the frame embeddings."""
        columns = read_columns(self.parquet, self.schema)
        return check_frames(
            FrameEmbeddings(
                video_id=self.video_id,
                pts=columns.pts,
                time_base=fraction_from(self.details["time_base"]),
                times_seconds=columns.times_seconds,
                vectors=columns.vectors,
                cuts_seconds=cuts_of(self.details),
                duration_seconds=self.details["duration_seconds"],
                seen_until_seconds=columns.seen_until_seconds,
                step_seconds=self.details.get("step_seconds"),
            )
        )

    def outline(self) -> Outline:
        """Read the timestamps and cuts, without embeddings."""
        pts, dimension = read_pts(self.parquet)
        return Outline(pts, dimension, cuts_of(self.details))


@dataclass(frozen=True)
class FramesFiles:
    """The frames files of a store; safe to use in several threads.

    Attributes:
        folder: The store's folder.
        fingerprints: sampling_fingerprint and encoder_fingerprint of the store, by these names.
    """

    folder: AtomicFolder
    fingerprints: Mapping[str, str]

    def video_ids(self) -> list[str]:
        """List the ids of all videos, sorted.

        Raises:
            StoreError: The store cannot be listed.
        """
        try:
            names = self.folder.list("", file_of(""))
        except OSError as error:
            raise StoreError(f"{self.folder.root}: cannot be listed: {error}") from error
        ids = (name.removesuffix(file_of("")) for name in names)
        return sorted(video_id for video_id in ids if VIDEO_ID.fullmatch(video_id))

    @contextlib.contextmanager
    def opened(
        self, video_id: str, *, only_metadata: bool = False, content: bytes | Exception | None = None
    ) -> Iterator[OpenFramesFile | None]:
        """Open a video's file and check that it belongs to this store; None if the video is not in the store.

        Args:
            video_id: The video's id.
            only_metadata: Whether only the record is needed: of a file on a server, only the end is read then.
            content: The content of the file, or the error of reading it, if it was read already.

        Raises:
            StoreError: The file is broken, which may be detected only while the block reads it; or it has another
                format or belongs to another store.
        """
        if not VIDEO_ID.fullmatch(video_id):
            yield None
            return
        path = f"{self.folder.root}/{file_of(video_id)}"
        try:
            if isinstance(content, Exception):
                raise content
            name = file_of(video_id)
            source = self._open(name, only_metadata=only_metadata) if content is None else pa.BufferReader(content)
        except FileNotFoundError:
            yield None
            return
        except BROKEN as error:
            raise broken_file(path, error) from error
        try:
            with source:
                parquet = pq.ParquetFile(source, page_checksum_verification=True)
                schema = parquet.schema_arrow
                details = parsed((schema.metadata or {})[METADATA_KEY])
                check_details(details, {"video_id": video_id, **self.fingerprints}, path)
                check_size(parquet, schema)
                yield OpenFramesFile(video_id, parquet, schema, details)
        except BROKEN as error:
            raise broken_file(path, error) from error

    def contents(self, video_ids: Sequence[str]) -> list[bytes | Exception | None]:
        """Read the files of some videos at once, for `opened`; None for a large one, which is to be read on its own."""
        most = _TOGETHER_BYTES if self.folder.is_remote else _TOGETHER_LOCAL_BYTES
        names = [file_of(video_id) for video_id in video_ids if VIDEO_ID.fullmatch(video_id)]
        read = dict(zip(names, self.folder.read_starts(names, most), strict=True))
        found = [read.get(file_of(video_id), FileNotFoundError()) for video_id in video_ids]
        return [None if isinstance(one, bytes) and len(one) == most else one for one in found]

    def some_vectors(self, video_id: str) -> npt.NDArray[np.float32] | None:
        """Read a fixed sample of a video's vectors, float32 (M, D); None if the video is not in the store.

        Raises:
            StoreError: The file is broken.
        """
        if not VIDEO_ID.fullmatch(video_id):
            return None
        try:
            with self.folder.open(file_of(video_id)) as file:
                seed = int.from_bytes(hashlib.sha256(video_id.encode()).digest()[:4])
                parquet = pq.ParquetFile(file)
                check_size(parquet, parquet.schema_arrow)
                vectors = read_some_vectors(parquet, FRAMES_OF_A_VIDEO, seed)
                check_unit_length(vectors)
                return vectors
        except FileNotFoundError:
            return None
        except BROKEN as error:
            raise broken_file(f"{self.folder.root}/{file_of(video_id)}", error) from error

    def _open(self, name: str, *, only_metadata: bool) -> BinaryIO | pa.BufferReader:
        """Open a file; a small one is read at once, which is faster than by Arrow's many small reads."""
        if only_metadata:
            end = self.folder.read_end(name, _METADATA_BYTES)
            if footer_bytes(end) <= len(end):
                return pa.BufferReader(end)
        elif self.folder.is_remote:
            content = self.folder.read_start(name, _WHOLE_BYTES)
            if len(content) < _WHOLE_BYTES:
                return pa.BufferReader(content)
        file: BinaryIO = self.folder.open(name)
        if not self.folder.is_remote and os.fstat(file.fileno()).st_size <= _WHOLE_LOCAL_BYTES:
            with file:
                return pa.BufferReader(file.read())
        return file
