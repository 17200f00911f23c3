"""Milvus Lite engine that reads a collection only after its files have been checked.

This module is imported only when a folder is opened, since importing Milvus Lite takes a second.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from milvus_lite.db import DEFAULT_DATABASE_NAME, SCHEMA_FILENAME, MilvusLite
from milvus_lite.engine.collection import Collection
from milvus_lite.exceptions import CollectionNotFoundError, DatabaseNotFoundError, MilvusLiteError
from milvus_lite.index.brute_force import BruteForceIndex

from pipeline.errors import MomentIndexError
from pipeline.index.milvus.lite.contents import check_collection
from pipeline.index.milvus.lite.refusals import carried
from pipeline.index.milvus.schema import FIELDS

__all__ = ["CheckedLite"]


class CheckedLite(MilvusLite):  # type: ignore[misc]
    """An engine that rejects collections that momentseek did not write.

    A collection is opened once and loaded immediately: a client that loaded it through another process's engine does
    not load it again.

    Args:
        folder: The folder, which is locked until `close`.
        refuse: Makes the error for a rejected collection from its folder and the cause.
        before_unlock: Called by `close`, after the collections are closed and before the folder is unlocked.
    """

    def __init__(
        self, folder: str, refuse: Callable[[Path, Exception], MomentIndexError], before_unlock: Callable[[], None]
    ) -> None:
        self._lock_fd: int | None
        super().__init__(folder)
        self._refuse = refuse
        self._before_unlock = before_unlock
        self._opening = threading.RLock()
        self._passed: set[str] = set()

    def leave_to_parent(self) -> None:
        """Close the lock file in a forked process; otherwise it would stay locked after the parent ends."""
        if self._lock_fd is not None:
            # `close` would unlock it for the parent, too.
            os.close(self._lock_fd)
            self._lock_fd = None

    def create_collection(
        self,
        name: str,
        schema: Any,
        properties: dict[str, Any] | None = None,
        database_name: str = DEFAULT_DATABASE_NAME,
    ) -> Collection:
        """Create a collection; it is not checked, since this process wrote it."""
        if database_name == DEFAULT_DATABASE_NAME and not self.has_collection(name):
            _clear_remains(Path(self.data_dir, "collections"), name.rpartition("_")[0] or name)
        created = super().create_collection(name, schema, properties, database_name)
        self._passed.add(name)
        return created

    def get_collection(self, name: str, database_name: str = DEFAULT_DATABASE_NAME) -> Collection:
        """Open a collection; all reading and writing goes through this method."""
        name = self.resolve_collection_name(name, database_name=database_name)
        if database_name != DEFAULT_DATABASE_NAME:
            raise DatabaseNotFoundError(f"momentseek does not use the database {database_name!r}")
        folder = Path(self.data_dir, "collections", name)
        try:
            with self._opening:
                if name not in self._passed and self.has_collection(name):
                    check_collection(folder, FIELDS)
                    self._passed.add(name)
                is_new = (database_name, name) not in self._collections
                collection = super().get_collection(name, database_name)
                if is_new:
                    _use_vectors_of_rows(collection)
                    collection.load()
                return collection
        except CollectionNotFoundError:
            raise
        except Exception as error:
            raise MilvusLiteError(carried(self._refuse(folder, error))) from error

    def drop_collection(self, name: str, database_name: str = DEFAULT_DATABASE_NAME) -> None:
        """Drop a collection. If the process is killed meanwhile, no collection with missing files is left."""
        name = self.resolve_collection_name(name, database_name=database_name)
        is_usual = database_name == DEFAULT_DATABASE_NAME and name not in self._aliases(database_name).values()
        if not is_usual or not self.has_collection(name):
            super().drop_collection(name, database_name)
            return
        with self._opening:
            if (opened := self._collections.pop((database_name, name), None)) is not None:
                opened.close()
            folder = Path(self.data_dir, "collections", name)
            # A folder without this file is not a collection, and the next rebuild removes it.
            (folder / SCHEMA_FILENAME).unlink()
            shutil.rmtree(folder)

    def _release_lock(self) -> None:
        # Also called when the folder could not be locked or prepared.
        if self._lock_fd is not None and hasattr(self, "_before_unlock"):
            self._before_unlock()
        super()._release_lock()


def _use_vectors_of_rows(collection: Collection) -> None:
    """Let a collection compare the vectors of its rows, instead of copies of them that it would read from other files.

    Milvus Lite stores such copies beside its data files. They double the memory, and could differ from the rows.
    """
    for segment in collection._segments_snapshot():
        if segment.num_rows:
            segment.attach_index(BruteForceIndex.build(segment.vectors, "COSINE"), "embedding")


def _clear_remains(collections: Path, stem: str) -> None:
    """Remove folders of incomplete collections, left by a full disk or by a process that was killed.

    Milvus Lite creates a collection's folder before it writes the schema, and does not accept an existing folder.

    Args:
        collections: The folder of all collections.
        stem: The beginning of the names of momentseek's collections, before the number.
    """
    with suppress(FileNotFoundError):
        for folder in sorted(collections.iterdir()):
            is_numbered = folder.name.rpartition("_")[0] == stem or folder.name == stem
            if is_numbered and not folder.is_symlink() and folder.is_dir() and not (folder / SCHEMA_FILENAME).exists():
                shutil.rmtree(folder, ignore_errors=True)
