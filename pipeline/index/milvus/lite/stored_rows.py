"""Reads the rows of a Milvus Lite folder from its files while no process has the folder open.

Starting Milvus Lite takes a second of processor time, reading the files of a small index some milliseconds. These files
are the index itself, not copies: when the write-ahead log is empty, the manifest names all data files and all files of
deleted keys. A folder that is open, has a log, or contains anything unexpected is not read here. The caller then opens
it with Milvus Lite, which replays the log or reports the fault.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import MomentIndexError
from pipeline.index.milvus.lite.contents import check_aliases, check_collection
from pipeline.index.milvus.lite.folder_checks import check_index_folder, wrong_files
from pipeline.index.milvus.lite.live_rows import LiveRows, Replaced, live_rows, replaced_rows
from pipeline.index.milvus.lite.segment_rows import ForeignRowsError, Mask, SegmentRows
from pipeline.index.milvus.schema import FIELDS
from pipeline.io.arrow_arrays import numbers_of, vectors_of

__all__ = ["StoredCollection", "StoredRows"]

_log = logging.getLogger(__name__)

_OWN_PREFIX = "momentseek."
_MAX_JSON_BYTES = 16 * 2**20
_GAP_SECONDS = 0.002
# The format of the files that Milvus Lite 3.2.2 writes. Files of another format are left to Milvus Lite.
_FORMAT = 2
_COLUMNS = ("_seq", *(name for name in FIELDS if name != "model"))
_UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RecursionError,
    pa.ArrowException,
    ForeignRowsError,
    MomentIndexError,
)


@dataclass(frozen=True)
class StoredCollection:
    """A collection, as its files contain it.

    Attributes:
        properties: What momentseek stored about the owner.
        dimension: Length of a vector.
        rows: The live rows.
    """

    properties: dict[str, str]
    dimension: int
    rows: LiveRows


class StoredRows:
    """The rows of a Milvus Lite folder that no process holds.

    Args:
        folder: The folder.
        alias: Name of the collection.
    """

    def __init__(self, folder: Path, alias: str) -> None:
        self._folder = folder
        self._alias = alias
        self._latest: tuple[_StoredFiles, StoredCollection] | None = None
        self._reading = threading.Lock()
        self._released_at = float("-inf")

    def read(self) -> StoredCollection | None:
        """Return the collection as it is now; unchanged files are not read again.

        Returns:
            None if a process holds the folder, or if Milvus Lite has to open it for another reason.
        """
        with self._reading:
            # Threads that ask without a pause would otherwise lock the folder all the time, and nobody could open it.
            time.sleep(max(0.0, self._released_at + _GAP_SECONDS - time.monotonic()))
            try:
                return self._read()
            finally:
                self._released_at = time.monotonic()

    def _read(self) -> StoredCollection | None:
        try:
            with ExitStack() as opened:
                with _unheld(self._folder):
                    files = _files(self._folder, self._alias)
                    if self._latest is not None and self._latest[0] == files:
                        return self._latest[1]
                    self._latest = None
                    _check(self._folder, files)
                    # Open files stay readable when a process that opens the folder next replaces or removes them.
                    sources = [opened.enter_context(pa.OSFile(os.fspath(path), "rb")) for path in files.paths]
                collection = _collection(files, sources)
        except _UNREADABLE as error:
            _log.debug("the files of the index in %r are left to Milvus Lite: %s", str(self._folder), error)
            return None
        self._latest = files, collection
        return collection


@dataclass(frozen=True)
class _StoredFiles:
    """The files of a collection. If two of them are equal, so are the rows.

    Each write changes the manifest, and a rebuild changes the aliases. A folder that was emptied and filled again could
    have the same manifest, but its data files are others.

    Attributes:
        collection: Folder of the collection.
        aliases, schema, manifest: Content of these files.
        data: The files of rows.
        deleted: The files of deleted keys.
        statuses: Device, inode, size, and times of change of `paths`.
    """

    collection: Path
    aliases: bytes
    schema: bytes
    manifest: bytes
    data: tuple[Path, ...]
    deleted: tuple[Path, ...]
    statuses: tuple[tuple[int, ...], ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files of rows, then those of deleted keys."""
        return (*self.data, *self.deleted)


class _StoredSegment:
    """The rows of one data file, as a `RowSegment`."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.pks: list[str] = table.column("key").to_pylist()
        self.seqs: npt.NDArray[np.uint64] = numbers_of(table.column("_seq"))
        self.vectors = vectors_of(table.column("embedding"))
        self.vector_null_mask: Mask | None = None
        self.pk_to_row = {key: number for number, key in enumerate(self.pks)}

    @property
    def num_rows(self) -> int:
        return len(self.pks)


@contextmanager
def _unheld(folder: Path) -> Iterator[None]:
    """Keep other processes from opening a folder.

    A process that opens it meanwhile waits, since this process does not announce itself (`open_reference`).

    Raises:
        BlockingIOError: A process holds the folder.
        OSError: The folder was never opened.
        ValueError: Its lock is not a file.
    """
    lock = os.open(folder / "LOCK", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(lock).st_mode):
            raise ValueError("the lock is not a file")
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        try:
            yield
        finally:
            # Closing alone would leave it locked in a process that was forked meanwhile.
            fcntl.flock(lock, fcntl.LOCK_UN)
    finally:
        os.close(lock)


def _files(folder: Path, alias: str) -> _StoredFiles:
    check_aliases(folder, are_own=True)
    aliases = _content(folder / "aliases.json")
    collection = folder / "collections" / json.loads(aliases)[alias]
    schema, manifest = _content(collection / "schema.json"), _content(collection / "manifest.json")
    if (folder / "database_properties.json").exists() or any((collection / "wal").glob("*")):
        raise ValueError("it has properties of a database, or a log")
    partition = json.loads(manifest)["partitions"]["_default"]
    below = collection / "partitions" / "_default"
    data = tuple(below / name for name in partition["data_files"])
    deleted = tuple(below / name for name in partition["delta_files"])
    statuses = tuple(map(_status, (*data, *deleted)))
    return _StoredFiles(collection, aliases, schema, manifest, data, deleted, statuses)


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_MAX_JSON_BYTES + 1)
    if len(content) > _MAX_JSON_BYTES:
        raise ValueError(f"{path.name} is too large")
    return content


def _status(path: Path) -> tuple[int, ...]:
    status = path.lstat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _check(folder: Path, files: _StoredFiles) -> None:
    """Check what Milvus Lite would be given to read, and that it is what this module can read.

    Raises:
        MomentIndexError, ValueError: It is not.
    """
    check_index_folder(folder)
    for kind, path in wrong_files(folder):
        raise ValueError(f"it contains {kind} ({path})")
    check_collection(files.collection, FIELDS)
    schema, manifest = json.loads(files.schema), json.loads(files.manifest)
    formats = schema.get("schema_format_version"), manifest.get("manifest_format_version")
    if formats != (_FORMAT, _FORMAT):
        raise ValueError(f"the formats {formats}")
    # Other properties can change what a search finds, such as the time after which rows expire.
    if not all(name.startswith(_OWN_PREFIX) for name in schema["properties"]):
        raise ValueError("properties that momentseek does not write")
    if "embedding" not in manifest["index_specs"]:
        raise ValueError("no index of the vectors")


def _collection(files: _StoredFiles, sources: Sequence[Any]) -> StoredCollection:
    schema = json.loads(files.schema)
    [dimension] = [field["dim"] for field in schema["fields"] if field["name"] == "embedding"]
    tables = [_table(source, _COLUMNS) for source in sources[: len(files.data)]]
    rows = [SegmentRows(_StoredSegment(table)) for table in tables if table.num_rows]
    deleted: dict[str, int] = {}
    for source in sources[len(files.data) :]:
        table = _table(source, ("key", "_seq"))
        for key, sequence in zip(table.column("key").to_pylist(), table.column("_seq").to_pylist(), strict=True):
            deleted[key] = max(sequence, deleted.get(key, -1))
    replaced: dict[tuple[int, int], Replaced] = {
        (number, other): replaced_rows(rows[number].segment, rows[other].segment)
        for number in range(len(rows))
        for other in range(number)
    }
    return StoredCollection(schema["properties"], dimension, live_rows(dict(enumerate(rows)), replaced, deleted))


def _table(source: Any, columns: Sequence[str]) -> pa.Table:
    with pq.ParquetFile(source) as parquet:
        table = parquet.read(list(columns))
    if any(column.null_count for column in table.columns):
        raise ForeignRowsError("rows with missing values")
    return table
