"""Milvus Lite engine that reads a collection only after its files have been checked.

Imported where a folder is opened: Milvus Lite takes a second to load.
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
    """An engine that refuses collections which momentseek did not write.

    Attributes:
        refused: The folder of the collection that was refused last, and why; Milvus's answers have no room for that.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.refused: tuple[Path, Exception] | None = None
        self._passed: set[str] = set()
        # The dimension is each collection's own.
        self._fields = {each.name: (each.dtype.name.lower(), each.is_primary) for each in schema(1).fields}

    def create_collection(
        self,
        name: str,
        schema: Any,
        properties: dict[str, Any] | None = None,
        database_name: str = DEFAULT_DATABASE_NAME,
    ) -> Collection:
        """Create a collection, which is not checked: it is this process's own."""
        if database_name == DEFAULT_DATABASE_NAME and not self.has_collection(name):
            _clear_unfinished(Path(self.data_dir, "collections", name))
        created = super().create_collection(name, schema, properties, database_name)
        self._passed.add(name)
        return created

    def get_collection(self, name: str, database_name: str = DEFAULT_DATABASE_NAME) -> Collection:
        """Open a collection, as everything does that reads or writes one."""
        name = self.resolve_collection_name(name, database_name=database_name)
        if database_name != DEFAULT_DATABASE_NAME:
            raise DatabaseNotFoundError(f"momentseek keeps nothing in the database {database_name!r}")
        place = Path(self.data_dir, "collections", name)
        try:
            if name not in self._passed and self.has_collection(name):
                check_collection(place, self._fields)
                self._passed.add(name)
            return super().get_collection(name, database_name)
        except CollectionNotFoundError:
            raise
        except Exception as error:
            self.refused = (place, error)
            raise


def _clear_unfinished(folder: Path) -> None:
    """Remove the folder of a collection that was never completed: the disk was full, or the process ended.

    Milvus Lite makes the folder and then writes the schema into it, and takes no folder that is there already. Nothing
    but the schema's own files is removed.
    """
    if folder.is_symlink() or not folder.is_dir():
        return
    for file in folder.glob("schema.json*"):
        file.unlink()
    with suppress(OSError):
        folder.rmdir()
