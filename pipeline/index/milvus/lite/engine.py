"""Milvus Lite engine that reads a collection only after its files have been checked.

This module is imported only when a folder is opened, since importing Milvus Lite takes a second.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from milvus_lite.db import DEFAULT_DATABASE_NAME, MilvusLite
from milvus_lite.engine.collection import Collection
from milvus_lite.exceptions import CollectionNotFoundError, DatabaseNotFoundError

from pipeline.index.milvus.lite.contents import check_collection
from pipeline.index.milvus.schema import schema

__all__ = ["CheckedLite"]


class CheckedLite(MilvusLite):  # type: ignore[misc]
    """An engine that rejects collections that momentseek did not write.

    Attributes:
        refused: Folder of the last rejected collection, and the error, which Milvus's responses cannot carry; None if
            none was rejected.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.refused: tuple[Path, Exception] | None = None
        self._passed: set[str] = set()
        # Any dimension will do here: each collection has its own.
        self._fields = {each.name: (each.dtype.name.lower(), each.is_primary) for each in schema(1).fields}

    def create_collection(
        self,
        name: str,
        schema: Any,
        properties: dict[str, Any] | None = None,
        database_name: str = DEFAULT_DATABASE_NAME,
    ) -> Collection:
        """Create a collection; it is not checked, since this process wrote it."""
        if database_name == DEFAULT_DATABASE_NAME and not self.has_collection(name):
            _clear_unfinished(Path(self.data_dir, "collections", name))
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
            if name not in self._passed and self.has_collection(name):
                check_collection(folder, self._fields)
                self._passed.add(name)
            return super().get_collection(name, database_name)
        except CollectionNotFoundError:
            raise
        except Exception as error:
            self.refused = (folder, error)
            raise


def _clear_unfinished(folder: Path) -> None:
    """Remove the folder of an incomplete collection, left by a full disk or a killed process.

    Milvus Lite creates the folder before it writes the schema, and does not accept an existing folder. Only the
    schema's own files are removed.
    """
    if folder.is_symlink() or not folder.is_dir():
        return
    for file in folder.glob("schema.json*"):
        file.unlink()
    with suppress(OSError):
        folder.rmdir()
