"""What the collections that people keep in a library have in common: listing, finding and removing by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from pipeline.library.index_handle import check_writable
from pipeline.library.privacy import apply_privacy
from pipeline.library.saved.named_documents import NamedDocument, NamedDocuments
from pipeline.library.stored_library import StoredLibrary

__all__ = ["SavedCollection"]

T = TypeVar("T")


class SavedCollection(Generic[T]):
    """A library's named things of one kind, each a document. Several people can change them at once.

    Args:
        library: The library.
        folder: Name of their folder.
        kind: What one of them is called in messages, such as "case".
        read: Reads one of them from its document; raises StoreError if it is broken.
    """

    def __init__(self, library: StoredLibrary, folder: str, kind: str, read: Callable[[NamedDocument], T]) -> None:
        self._library = library
        self._documents = NamedDocuments(library.config.library, folder, kind)
        self._read = read

    def listed(self) -> list[T]:
        """Read all of them, ordered by name.

        Raises:
            StoreError: They cannot be listed, or one is broken.
        """
        return list(map(self._read, self._documents.listed()))

    def find(self, name: str) -> T | None:
        """Read one of them; None if there is none with this name.

        Raises:
            StoreError: It cannot be read, or is broken.
        """
        document = self._documents.find(name)
        return None if document is None else self._read(document)

    def remove(self, name: str, *, expected: str | None = None) -> bool:
        """Remove one of them; return whether it existed.

        Args:
            name: Its name.
            expected: The version that is removed, as for `NamedDocuments.update`; None for whatever is there.

        Raises:
            VersionMismatchError: Another version is there.
            StoreError: The library is read-only, or it cannot be removed.
        """
        self._prepare()
        return self._documents.remove(name, expected=expected)

    def _prepare(self) -> None:
        """Prepare the library for writing."""
        check_writable(self._library.config.library)
        apply_privacy(self._library.config)
