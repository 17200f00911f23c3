"""Sample of a store's frame embeddings, saved in the store for score calibration."""

from __future__ import annotations

import hashlib
import io
import logging
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import StoreError
from pipeline.store.atomic_folder import MOST_BYTES, AtomicFolder
from pipeline.store.checks import check_unit_length
from pipeline.store.file_name_patterns import VIDEO_ID

__all__ = ["FRAMES_OF_A_VIDEO", "SAMPLE_FILE", "FrameSample", "draw_sample", "read_sample", "write_sample"]

_log = logging.getLogger(__name__)

SAMPLE_FILE = "background.npz"
VIDEOS = 256
FRAMES_OF_A_VIDEO = 16
# Exceptions that reading a damaged or hostile sample file can raise.
_BROKEN = (
    ArithmeticError,
    EOFError,
    KeyError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
_GROWTH = 1.2
"""A sample is drawn again when the index has grown or shrunk by this factor."""


@dataclass(frozen=True)
class FrameSample:
    """Frame embeddings of many videos, a few of each.

    Attributes:
        vectors: float32 (N, D) of unit length; N may be 0.
        video_ids: Ids of the sampled videos.
        rows: Number of rows in the index when the sample was drawn.

    Raises:
        ValueError: The vectors have the wrong type or not unit length.
    """

    vectors: npt.NDArray[np.float32]
    video_ids: tuple[str, ...]
    rows: int

    def __post_init__(self) -> None:
        vectors = self.vectors
        if vectors.dtype != np.float32 or vectors.ndim != 2 or self.rows < 0:
            raise ValueError(f"vectors of {vectors.dtype}, shape {vectors.shape}, drawn at {self.rows} rows")
        check_unit_length(vectors)

    def is_fresh(self, rows: int) -> bool:
        """Whether the sample still represents a library whose index has `rows` rows."""
        if len(self.video_ids) < VIDEOS:
            return rows == self.rows
        return self.rows / _GROWTH <= rows <= self.rows * _GROWTH


def draw_sample(
    video_ids: Iterable[str], read: Callable[[str], npt.NDArray[np.float32] | None], rows: int
) -> FrameSample:
    """Draw a sample from the videos whose ids have the smallest hashes.

    The same library thus always gives the same sample, and a growing library changes little of it (a bottom-k sample:
    Cohen and Kaplan 2007, doi:10.1145/1281100.1281133). Unreadable videos are left out, and logged.

    Args:
        video_ids: Ids of all videos.
        read: Reads a few vectors of a video, float32 (M, D); None if the video no longer exists.
        rows: Current number of rows in the index.
    """
    selected = sorted(video_ids, key=lambda video_id: hashlib.sha256(video_id.encode()).digest())[:VIDEOS]
    found: dict[str, npt.NDArray[np.float32]] = {}
    for video_id in selected:
        try:
            vectors = read(video_id)
        except StoreError as error:
            _log.warning("a video was left out of the frame sample: %s", error)
            continue
        if vectors is not None and len(vectors):
            found[video_id] = vectors
    # A file of another encoder may be among them; the most frequent dimension is that of the library.
    counts = Counter(vectors.shape[1] for vectors in found.values())
    dimension = max(counts, key=lambda length: counts[length], default=0)
    fitting = {video_id: vectors for video_id, vectors in found.items() if vectors.shape[1] == dimension}
    combined = np.concatenate(list(fitting.values())) if fitting else np.empty((0, 0), np.float32)
    return FrameSample(combined, tuple(fitting), rows)


def read_sample(root: AtomicFolder, prefix: str = "") -> FrameSample | None:
    """Read the saved sample of a store; None if there is none or it cannot be read.

    Args:
        root: The store's folder, or a folder above it.
        prefix: Path of the store's folder below `root`, with a slash at its end; empty for `root` itself.
    """
    try:
        content = root.read(f"{prefix}{SAMPLE_FILE}")
        return _sample_in(content)
    except FileNotFoundError:
        return None
    except _BROKEN as error:
        _log.warning("%s/%s%s cannot be read (%s) and is drawn again", root.root, prefix, SAMPLE_FILE, error)
        return None


def _sample_in(content: bytes) -> FrameSample:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size_bytes = sum(member.file_size for member in archive.infolist())
    if size_bytes > MOST_BYTES:
        raise ValueError(f"it unpacks to {size_bytes:,} bytes")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        vectors, ids, rows = arrays["vectors"], arrays["video_ids"], int(arrays["rows"])
    if vectors.dtype != np.float32 or vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError(f"its vectors are {vectors.dtype} {vectors.shape}")
    if ids.ndim != 1 or ids.dtype.kind != "U":
        raise ValueError(f"its ids are {ids.dtype} {ids.shape}")
    if not all(VIDEO_ID.fullmatch(video_id) for video_id in ids.tolist()):
        raise ValueError("it contains an invalid video id")
    return FrameSample(vectors, tuple(ids.tolist()), rows)


def write_sample(folder: AtomicFolder, sample: FrameSample) -> None:
    """Save a sample; if that fails, as in a read-only library, the next search draws it again."""
    content = io.BytesIO()
    arrays: dict[str, Any] = {
        "vectors": sample.vectors,
        "video_ids": np.asarray(sample.video_ids, np.str_),
        "rows": np.asarray(sample.rows),
    }
    np.savez(content, **arrays)
    try:
        folder.write(SAMPLE_FILE, content.getvalue())
    except StoreError as error:
        _log.info("the frame sample cannot be saved: %s", error)
