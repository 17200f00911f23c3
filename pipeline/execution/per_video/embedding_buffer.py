"""Buffers a video's embeddings between the encoder and the store, partly in a temporary file."""

from __future__ import annotations

import logging
import math
import mmap
import tempfile
import weakref
from array import array
from typing import IO

import numpy as np
import numpy.typing as npt

from pipeline.allocator import give_back
from pipeline.execution.per_video.messages import BatchTimes, Vectors, VideoEnd
from pipeline.types import FrameEmbeddings, seen_before_next

__all__ = ["EmbeddingBuffer"]

_log = logging.getLogger(__name__)


class EmbeddingBuffer:
    """Collects a video's embeddings in a block of rows, which is written to a temporary file when it is full.

    What is kept of each batch must not lie among the large arrays that come and go with every batch: one small array
    between them, and the pages around it are not given back. Ten hours of video took two gigabytes instead of a hundred
    megabytes. So vectors lie in pages of their own, which the system has back at once, and times in two arrays in all.

    Nobody needs the vectors of the hours before while a video is read, and beside a decoder and an encoder at work they
    are most of what its length adds. The file is in the system's folder of temporary files, without a name; where it
    cannot be written, blocks stay in memory.

    Args:
        block_rows: Rows of a block.
    """

    def __init__(self, block_rows: int = 4096) -> None:
        self._block_rows = block_rows
        self._file: IO[bytes] | None = None
        self._file_rows = 0
        self._takes_file = True
        self._blocks: list[Vectors] = []
        self._filled = 0
        self._pts = array("q")
        self._times_seconds = array("d")
        self.batches = 0

    def __len__(self) -> int:
        return len(self._pts)

    def add(self, times: BatchTimes, vectors: Vectors) -> None:
        """Add the next batch: its times, and its embeddings, float32 (N, D).

        Raises:
            ValueError: There are not as many rows as times.
        """
        if len(times) != len(vectors):
            raise ValueError(f"{len(times)} frames of a batch have {len(vectors)} embeddings")
        self._pts.extend(times.pts.tolist())
        self._times_seconds.extend(times.times_seconds.tolist())
        self.batches += 1
        while len(vectors):
            if not self._blocks:
                self._blocks.append(_in_own_pages(self._block_rows, vectors.shape[1]))
            elif self._filled == self._block_rows:
                self._begin_block()
            fitting = vectors[: self._block_rows - self._filled]
            self._blocks[-1][self._filled : self._filled + len(fitting)] = fitting
            self._filled += len(fitting)
            vectors = vectors[len(fitting) :]

    def assembled(self, video_id: str, end: VideoEnd) -> FrameEmbeddings:
        """Return all embeddings in the order of the video, and empty the buffer.

        Raises:
            ValueError: Nothing was taken, the times do not increase, or a row is not of unit length.
            OSError: What is in the file cannot be read.
        """
        pts, self._pts = np.array(self._pts, np.int64), array("q")
        times_seconds, self._times_seconds = np.array(self._times_seconds, np.float64), array("d")
        vectors = self._taken(len(pts))
        if end.shares:
            # Only where samplings share a pass does a frame come before an earlier one.
            order = np.argsort(pts)
            pts, times_seconds, vectors = pts[order], times_seconds[order], vectors[order]
        return FrameEmbeddings(
            video_id=video_id,
            pts=pts,
            time_base=end.info.time_base,
            times_seconds=times_seconds,
            vectors=vectors,
            cuts_seconds=end.cuts_seconds,
            duration_seconds=end.duration_seconds,
            seen_until_seconds=None
            if end.seen_until_seconds is None
            else seen_before_next(times_seconds, np.array(end.seen_until_seconds, np.float64)),
            step_seconds=end.step_seconds,
            shares=end.shares,
        )

    def _begin_block(self) -> None:
        """Make room: the full block goes to the file, or is kept if that cannot be."""
        if self._takes_file:
            try:
                self._write(self._blocks[-1])
            except OSError as error:
                _log.info("embeddings stay in memory, as no temporary file takes them: %s", error)
                self._takes_file = False
        if not self._takes_file:
            self._blocks.append(_in_own_pages(self._block_rows, self._blocks[-1].shape[1]))
        self._filled = 0
        # Seldom, and only for long videos: what batches leave behind adds up, and is given back.
        give_back()

    def _write(self, block: Vectors) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed when this is no more
            weakref.finalize(self, self._file.close)
        content = block.data.cast("B")
        while content:
            content = content[self._file.write(content) :]
        self._file_rows += len(block)

    def _taken(self, rows: int) -> Vectors:
        """All rows in one array; each block is given back as soon as it is copied."""
        if not self._blocks:
            raise ValueError("no embedding was gathered")
        # What the encoder needed is free now; all that follows would come on top of it.
        if rows > self._block_rows:
            give_back()
        blocks, self._blocks = self._blocks[::-1], []
        vectors = _in_own_pages(rows, blocks[0].shape[1])
        first, self._file_rows = self._file_rows, 0
        if self._file is not None:
            self._file.seek(0)
            _read_whole(self._file, vectors[:first])
            self._file.close()
        while blocks:
            block = blocks.pop()[: rows - first]
            vectors[first : first + len(block)] = block
            first += len(block)
        return vectors


def _read_whole(file: IO[bytes], vectors: Vectors) -> None:
    """Fill an array of at least one row."""
    room = vectors.data.cast("B") if len(vectors) else memoryview(b"")
    while room:
        count = file.readinto(room)  # type: ignore[attr-defined]  # of an unbuffered file
        if not count:
            raise OSError("the temporary file of its embeddings is shorter than what was written")
        room = room[count:]


def _in_own_pages(rows: int, columns: int) -> Vectors:
    """Float32 (rows, columns) of zeros that the system has back as soon as nobody refers to them.

    The C library's allocator keeps what is freed below 32 MiB, where anything that still lives is behind it.
    """
    size = math.prod((rows, columns, np.dtype(np.float32).itemsize))
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    array_of_pages: npt.NDArray[np.float32] = np.frombuffer(pages, np.float32).reshape(rows, columns)
    return array_of_pages
