"""The catalogue of a store: a cache of its videos' records in a few files, for listing videos quickly.

The frames files remain the authoritative record. An entry is valid only while the version of its video's file (see
`AtomicFolder.listing`) is the one that it was copied from. Writers therefore need no lock, and a catalogue that is
outdated, missing or damaged only costs time. The entries are divided among 64 files, `catalogue/{00 to 3f}.parquet`,
with the columns video_id, version and record (JSON). Each file has the videos of a range of ids, so that a list ordered
by id reads one file after another, and an update rewrites few of them.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import StoreError
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.file_name_patterns import CATALOGUE_FILE, CATALOGUE_FOLDER
from pipeline.store.frames_metadata import BROKEN

__all__ = ["LEAST_VIDEOS", "Catalogue", "Entry", "catalogue_file"]

_log = logging.getLogger(__name__)

LEAST_VIDEOS = 256
"""Smaller stores have no catalogue, because their videos' files are read about as fast."""

_MOST_BYTES = 256 * 2**20
"""Maximum uncompressed size of a file; with a million videos, each has about 16 MiB."""
_DIGITS = "0123456789abcdef"
_SCHEMA = pa.schema([("video_id", pa.string()), ("version", pa.string()), ("record", pa.string())])


class Entry(NamedTuple):
    """A copy of a video's record: the version of the source file, and the record as JSON."""

    version: str
    record: str


def catalogue_file(video_id: str) -> str:
    """Return the name, below the store's folder, of the file that contains a video's entry.

    These names have the same order as the ids. Ids are hashes in hexadecimal digits, whose first two digits select the
    file; ids that begin otherwise are added to the nearest file.
    """
    return f"{CATALOGUE_FOLDER}/{_first_byte(video_id) // 4:02x}.parquet"


def _first_byte(video_id: str) -> int:
    """Return the value of the first two hexadecimal digits of an id; of other characters, that of the nearest digit."""
    first = _nearest(video_id[0])
    if video_id[0] not in _DIGITS:
        return {0: 0x00, 9: 0x9F, 15: 0xFF}[first]
    return 16 * first + (_nearest(video_id[1]) if len(video_id) > 1 else 0)


def _nearest(character: str) -> int:
    """Return the value of a hexadecimal digit, or of the last digit before another character; 0 if there is none."""
    if character in _DIGITS:
        return int(character, 16)
    return 0 if character < "0" else 9 if character < "a" else 15


@dataclass(frozen=True)
class Catalogue:
    """The catalogue of a store.

    Attributes:
        folder: The store's folder, or a folder above it.
        prefix: Path of the store's folder below `folder`, with a slash at its end; empty for `folder` itself.
    """

    folder: AtomicFolder
    prefix: str = ""

    def files(self) -> frozenset[str]:
        """List the catalogue's files: names below the store's folder.

        Raises:
            StoreError: They cannot be listed.
        """
        try:
            names = self.folder.list(f"{self.prefix}{CATALOGUE_FOLDER}", ".parquet")
        except OSError as error:
            where = f"{self.folder.root}/{self.prefix}{CATALOGUE_FOLDER}"
            raise StoreError(f"{where}: cannot be listed: {error}") from error
        found = (name.removeprefix(self.prefix) for name in names)
        return frozenset(name for name in found if CATALOGUE_FILE.fullmatch(name.rpartition("/")[2]))

    def read(self, name: str) -> dict[str, Entry]:
        """Read the entries of one file by id, valid or not; none if the file does not exist or cannot be read."""
        try:
            parquet = pq.ParquetFile(io.BytesIO(self.folder.read(self.prefix + name)), page_checksum_verification=True)
            if parquet.schema_arrow.remove_metadata() != _SCHEMA:
                raise ValueError("other columns")
            groups = (parquet.metadata.row_group(number) for number in range(parquet.num_row_groups))
            if sum(group.total_byte_size for group in groups) > _MOST_BYTES:
                raise ValueError("too large")
            columns = parquet.read(use_threads=False).to_pydict()
        except FileNotFoundError:
            return {}
        except (StoreError, *BROKEN) as error:
            path = f"{self.folder.root}/{self.prefix}{name}"
            _log.info("%s: cannot be read (%s); its videos' files are read instead", path, error)
            return {}
        rows = zip(columns["video_id"], columns["version"], columns["record"], strict=True)
        return {video_id: Entry(version, record) for video_id, version, record in rows if None not in (version, record)}

    def write(self, name: str, entries: Mapping[str, Entry]) -> None:
        """Write the entries of one file, or remove it if there are none.

        Raises:
            StoreError: It cannot be written or removed.
        """
        if not entries:
            self._remove(name)
            return
        content = io.BytesIO()
        columns = [pa.array(entries, pa.string())]
        columns += [pa.array([entry[place] for entry in entries.values()], pa.string()) for place in (0, 1)]
        table = pa.Table.from_arrays(columns, schema=_SCHEMA)
        pq.write_table(table, content, compression="zstd", write_page_checksum=True)
        self.folder.write(self.prefix + name, content.getvalue(), is_synced=False)

    def forget(self, video_id: str) -> bool:
        """Remove a video's entry; return whether there was one.

        Raises:
            StoreError: The file cannot be written.
        """
        name = catalogue_file(video_id)
        entries = self.read(name)
        if entries.pop(video_id, None) is None:
            return False
        self.write(name, entries)
        return True

    def _remove(self, name: str) -> None:
        try:
            self.folder.delete(self.prefix + name)
        except OSError as error:
            raise StoreError(f"{self.folder.root}/{self.prefix}{name}: cannot be removed: {error}") from error
