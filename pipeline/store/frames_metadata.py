"""Metadata of a frames file: the video's record, and the identity of the store that the file belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import StoreError
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.checks import check_seconds, shown
from pipeline.store.checksum import CHECKSUM_KEY, FileState, state_of
from pipeline.types import FrameEmbeddings, VideoRecord
from pipeline.types.record_json import checked_text, fraction_text, parsed, record_mapping

__all__ = [
    "BROKEN",
    "METADATA_KEY",
    "Outline",
    "broken_file",
    "check_details",
    "cuts_of",
    "details_of",
    "recorded_names",
]

METADATA_KEY = b"momentseek"
# Exceptions that reading a damaged or hostile file can raise. MemoryError: a small file may claim any number of rows.
BROKEN = (OSError, pa.ArrowException, ArithmeticError, AttributeError, KeyError, MemoryError, TypeError, ValueError)

_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Outline:
    """The outline of a stored video: its frames' timestamps and its cuts, without embeddings.

    Attributes:
        pts: int64 (N,) timestamps of the frames.
        dimension: Length of the frames' embeddings.
        cuts_seconds: Cuts in seconds, as in `FrameEmbeddings`.
    """

    pts: npt.NDArray[np.int64]
    dimension: int
    cuts_seconds: tuple[float, ...] | None


def details_of(record: VideoRecord, frames: FrameEmbeddings, fingerprints: Mapping[str, str]) -> dict[str, Any]:
    """Build the metadata that a frames file is written with.

    Args:
        record: The video's record.
        frames: Its frame embeddings.
        fingerprints: sampling_fingerprint and encoder_fingerprint of the store.
    """
    return {
        "format": _FORMAT,
        "record": record_mapping(record),
        "time_base": fraction_text(frames.time_base),
        "cuts_seconds": None if frames.cuts_seconds is None else list(frames.cuts_seconds),
        "duration_seconds": frames.duration_seconds,
        "step_seconds": frames.step_seconds,
        **fingerprints,
        "versions": _versions(),
        # Marks files that must have a checksum; files of older versions have none.
        "checksum": "blake2b",
    }


def check_details(details: Mapping[str, Any], expected: Mapping[str, str], path: str) -> None:
    """Check that a frames file has this version's format and belongs to this video and store.

    Args:
        details: The metadata of the file.
        expected: The expected video_id and fingerprints.
        path: Path of the file, for messages.

    Raises:
        StoreError: The format is that of another version, or the file belongs to another video or store.
    """
    if details["format"] != _FORMAT:
        raise StoreError(
            f"{path}: has format {shown(details['format'])}, written by momentseek"
            f" {_plain(details.get('versions', {}).get('momentseek', 'unknown'))}; this version reads format {_FORMAT}:"
            " use the other version, or delete the file and index the video again"
        )
    actual = {name: details["record"][name] if name == "video_id" else details[name] for name in expected}
    differences = [
        f"{name} {_plain(actual[name])} instead of {value}" for name, value in expected.items() if actual[name] != value
    ]
    if differences:
        raise StoreError(
            f"{path}: belongs to another video or store ({', '.join(differences)}); move it back or delete it"
        )


def checksum_state(file: BinaryIO) -> FileState:
    """Compare an open frames file with its checksum; a file that is not readable as Parquet counts as changed."""
    try:
        metadata = pq.ParquetFile(file).metadata.metadata or {}
        is_marked = "checksum" in parsed(metadata[METADATA_KEY])
    except BROKEN:
        return "changed"
    state = state_of(file, metadata.get(CHECKSUM_KEY))
    return "changed" if is_marked and state == "no checksum" else state


def broken_file(path: str, error: Exception) -> StoreError:
    """Describe why the frames file at a path could not be read."""
    # The operating system's own errors have a number; Arrow raises OSError without one for damaged content.
    if isinstance(error, OSError) and error.errno is not None:
        return StoreError(f"{path}: cannot be read: {error}")
    cause = " ".join(f"{type(error).__name__}: {error}".split())
    return StoreError(f"{path}: is broken ({cause}); delete it and index the video again")


def cuts_of(details: Mapping[str, Any]) -> tuple[float, ...] | None:
    """Read and check the cuts in a frames file's metadata, in seconds; None if the sampling did not detect cuts."""
    if details["cuts_seconds"] is None:
        return None
    for cut in details["cuts_seconds"]:
        check_seconds("cuts_seconds", cut)
    return tuple(details["cuts_seconds"])


def recorded_names(folder: AtomicFolder, file: str) -> tuple[str, ...]:
    """Read the names and former names that a video was written with; empty if its file is not readable.

    Args:
        folder: A folder above the file.
        file: The file's path in that folder.
    """
    try:
        with folder.open(file) as opened:
            record = parsed(pq.ParquetFile(opened).schema_arrow.metadata[METADATA_KEY])["record"]
            return tuple(map(checked_text, (*record["names"], *record.get("former_names", ()))))
    except BROKEN:
        return ()


def _plain(value: object) -> str:
    """Format a value for a message, without quotes."""
    return shown(value).strip("'")


@cache
def _versions() -> dict[str, str]:
    """Versions of the packages that write a file; cached, since the lookup takes as long as writing the file."""
    return {name: version(name) for name in ("momentseek", "pyarrow", "numpy")}
