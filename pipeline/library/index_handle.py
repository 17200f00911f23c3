"""Open a library's index once, check that it belongs to this library, and discard a damaged one."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from pathlib import Path

from pipeline.encode import Encoder
from pipeline.errors import FingerprintMismatchError, IndexDamagedError, MomentIndexError, StoreError
from pipeline.index import MemoryIndex, MomentIndex, Owner, completely_open, discard, is_writable, open_index
from pipeline.library.identity import claim_library_id, local_folder, read_library_id
from pipeline.library.privacy import make_index_folder, tighten_index
from pipeline.run_config import RunConfig
from pipeline.store.atomic_folder import AtomicFolder

__all__ = ["LibraryIndex", "check_writable", "index_folder"]

_log = logging.getLogger(__name__)


class LibraryIndex:
    """Opens a library's index on first use, and keeps it open until `close`.

    Args:
        config: The library's configuration.
        encoder: The encoder whose vectors the index holds.
    """

    def __init__(self, config: RunConfig, encoder: Encoder) -> None:
        self._config = config
        self._encoder = encoder
        self._index: MomentIndex | None = None
        self._has_id = False

    @property
    def is_yet_to_be_made(self) -> bool:
        """Whether the index is one in memory that nobody has opened: it will be filled with all that there is then."""
        return self._index is None and self._config.index.backend == "memory"

    def open(self, fill: Callable[[MomentIndex], object], *, is_searched: bool = False) -> MomentIndex:
        """Open the index, or return the one that is open.

        Args:
            fill: Fills a new in-memory index with all rows of the library.
            is_searched: Whether the caller only searches it, so that Milvus Lite need not be started.

        Raises:
            IndexLockedError: Another process has the index open, and does not share it.
            FingerprintMismatchError: The index holds another encoder's vectors.
            MomentIndexError: The index cannot be opened.
            StoreError: The index folder is a link.
        """
        if self._index is None:
            self._index = self._opened(fill, is_searched=is_searched)
        return self._index if is_searched else completely_open(self._index)

    def _opened(self, fill: Callable[[MomentIndex], object], *, is_searched: bool) -> MomentIndex:
        config = self._config
        folder = index_folder(config.library)
        is_own = config.index.backend == "milvus" and config.index.uri is None and folder is not None
        if folder is not None and is_own:
            # Milvus Lite opens the folder by its path, and would follow a link.
            AtomicFolder(config.library).check(folder.name)
            make_index_folder(config.library, folder)
        if folder is not None and is_own and not is_writable(folder):
            return self._read_only(folder, fill, is_searched=is_searched)
        index = open_index(config.index, folder=folder, owner=self._owner(), is_searched=is_searched)
        if config.index.backend == "memory":
            # The index is stored in `self` only when it is full: half an index would give incomplete answers.
            fill(index)
        return index

    def _read_only(self, folder: Path, fill: Callable[[MomentIndex], object], *, is_searched: bool) -> MomentIndex:
        """Open the index of a read-only library, or else build one in memory from the frame embeddings."""
        if folder.exists():
            try:
                return open_index(self._config.index, folder=folder, owner=self._owner(), is_searched=is_searched)
            except FingerprintMismatchError:
                raise
            except MomentIndexError as error:
                _log.warning("%s; the index is rebuilt in memory, from the frame embeddings", error)
        index = MemoryIndex()
        fill(index)
        return index

    def claim(self) -> bool:
        """Assign the library an identity before its index is written, if it needs one; True if it was assigned now.

        An open index is then closed, since it was opened without this identity.

        Raises:
            ConfigError: The library is a copy, and the original still exists.
            StoreError: The identity cannot be read or written.
        """
        if not self._is_elsewhere() or self._has_id:
            return False
        claim_library_id(self._config.library)
        self.close()
        return True

    def discard(self, damage: IndexDamagedError) -> None:
        """Remove the damaged files of the library's own index; the index can be rebuilt from the store.

        Args:
            damage: The error raised when the index was opened or read.

        Raises:
            IndexLockedError: A process has the index open.
            MomentIndexError: The files cannot be removed.
        """
        self.close()
        folder = index_folder(self._config.library)
        if folder is not None and self._config.index.uri is None:
            _log.warning("%s; the content of the folder is removed now", damage)
            discard(folder)

    def close(self) -> None:
        """Close the index; closing twice is harmless."""
        if self._index is not None:
            self._index.close()
            self._index = None
            tighten_index(self._config.library, index_folder(self._config.library))

    def _owner(self) -> Owner:
        fingerprint, description = self._encoder.fingerprint, self._encoder.description
        if not self._is_elsewhere():
            return Owner(fingerprint, description)
        library = self._config.library
        known = read_library_id(library)
        self._has_id = known is not None
        # A library without an identity has no collection yet; reading must not assign one.
        return Owner(fingerprint, description, known.id if known is not None else uuid.uuid4().hex[:12], library)

    def _is_elsewhere(self) -> bool:
        """Whether the index lies outside the library, where other libraries may have theirs."""
        return self._config.index.backend != "memory" and self._config.index.uri is not None


def index_folder(library: str) -> Path | None:
    """Return the folder of a library's Milvus Lite index; None for a library that is not a local folder."""
    folder = local_folder(library)
    return None if folder is None else folder / "index"


def check_writable(library: str) -> None:
    """Refuse to write to a library that this user can only read.

    Raises:
        StoreError: The folder exists, and cannot be written to.
    """
    folder = local_folder(library)
    if folder is not None and folder.exists() and not is_writable(folder):
        raise StoreError(
            f"the library {library!r} is read-only for this user: it can be searched, but nothing can be added or"
            " removed; mount it writable or change its permissions, or choose another library"
        )
