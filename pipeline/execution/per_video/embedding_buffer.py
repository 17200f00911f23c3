"""Buffer a video's embeddings between the encoder and the store, partly in a temporary file."""

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

    Data that outlives a batch must not be allocated between the large arrays that come and go with every batch: one
    small array among them keeps the pages around it from being returned to the system. Ten hours of video then took two
    gigabytes instead of a hundred megabytes. Vectors are therefore stored in pages of their own, which the system gets
    back at once, and all times in two arrays.

    Vectors are not needed again while the video is read, but they would be most of the memory that grows with its
    length. The temporary file lies in the system's folder for such files, without a name; if it cannot be written,
    blocks stay in memory.

    Args:
        block_rows: Number of rows in a block.
    """

    def __init__(self, block_rows: int = 4096) -> None:
        self._block_rows = block_rows
        self._file: IO[bytes] | None = None
        self._file_rows = 0
        self._uses_file = True
        self._blocks: list[Vectors] = []
        self._filled = 0
        self._pts = array("q")
        self._times_seconds = array("d")
        self.batches = 0

    def __len__(self) -> int:
        return len(self._pts)

    def add(self, times: BatchTimes, vectors: Vectors) -> None:
        """Add the next batch: its times, and its embeddings as float32 (N, D).

        Raises:
            ValueError: The numbers of times and of rows differ.
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
            ValueError: The buffer is empty, the times do not increase, or a row is not of unit length.
            OSError: The temporary file cannot be read.
        """
        pts, self._pts = np.array(self._pts, np.int64), array("q")
        times_seconds, self._times_seconds = np.array(self._times_seconds, np.float64), array("d")
        vectors = self._all_rows(len(pts))
        if end.shares:
            # Frames can be out of order only if several samplings share a pass.
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
        """Start a new block, after writing the full one to the file; if that fails, it stays in memory."""
        if self._uses_file:
            try:
                self._write(self._blocks[-1])
            except OSError as error:
                _log.info("embeddings stay in memory, as the temporary file cannot be written: %s", error)
                self._uses_file = False
        if not self._uses_file:
            self._blocks.append(_in_own_pages(self._block_rows, self._blocks[-1].shape[1]))
        self._filled = 0
        # Happens rarely, and only for long videos: returns the memory that batches have left behind.
        give_back()

    def _write(self, block: Vectors) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed together with this object
            weakref.finalize(self, self._file.close)
        content = block.data.cast("B")
        while content:
            content = content[self._file.write(content) :]
        self._file_rows += len(block)

    def _all_rows(self, rows: int) -> Vectors:
        """Join all rows in one array; each block is freed as soon as it is copied."""
        if not self._blocks:
            raise ValueError("no embedding was collected")
        # Free the encoder's memory first; otherwise the array would be allocated on top of it.
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
    """Fill an array from a file; the array may be empty."""
    room = vectors.data.cast("B") if len(vectors) else memoryview(b"")
    while room:
        count = file.readinto(room)  # type: ignore[attr-defined]  # of an unbuffered file
        if not count:
            raise OSError("the temporary file of its embeddings is shorter than what was written")
        room = room[count:]


def _in_own_pages(rows: int, columns: int) -> Vectors:
    """Make a float32 array (rows, columns) of zeros whose memory the system gets back as soon as it is unused.

    The C library's allocator keeps freed blocks below 32 MiB if anything after them is still in use.
    """
    size = math.prod((rows, columns, np.dtype(np.float32).itemsize))
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    array_of_pages: npt.NDArray[np.float32] = np.frombuffer(pages, np.float32).reshape(rows, columns)
    return array_of_pages
