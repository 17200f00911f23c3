"""Read and assign a library's identity, stored in `library-id.json` in its folder.

It is written once and moves with the library. The library's collection on a Milvus server is named after it and records
it, so that two libraries never write into one collection.
"""

from __future__ import annotations

import json
import re
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.errors import ConfigError, StoreError
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.types.record_json import checked_text, parsed

__all__ = ["LibraryId", "claim_library_id", "local_folder", "read_library_id"]

_NAME = "library-id.json"
# The id becomes part of a collection's name.
_ID = re.compile(r"[A-Za-z0-9_]{1,64}")


@dataclass(frozen=True)
class LibraryId:
    """A library's identity, and the folder where it was assigned."""

    id: str
    place: str


def read_library_id(library: str) -> LibraryId | None:
    """Read a library's identity; None if it has none yet.

    Raises:
        ConfigError: The library is a copy, and the original still exists.
        StoreError: The file cannot be read.
    """
    known = _read(library)
    here = _absolute(library)
    if known is None or known.place == here:
        return known
    origin, folder = local_folder(known.place), local_folder(library)
    if origin is None or folder is None or not (origin / _NAME).exists() or (origin / _NAME).samefile(folder / _NAME):
        return known
    with suppress(StoreError):
        if _read(known.place) == known:
            raise ConfigError(
                f"the library {here!r} is a copy of {known.place!r}, and both would write to one collection of the"
                f" Milvus server; to separate them, remove {str(folder / _NAME)!r}, unset index.collection, and run:"
                f" momentseek index rebuild --library {folder}"
            )
    return known


def claim_library_id(library: str) -> LibraryId:
    """Read a library's identity, or assign one; concurrent callers all get the same identity.

    Raises:
        ConfigError: The library is a copy, and the original still exists.
        StoreError: The file cannot be read or written.
    """
    known = read_library_id(library)
    if known is not None:
        return known
    fresh = LibraryId(uuid.uuid4().hex[:12], _absolute(library))
    if AtomicFolder(library).create(_NAME, json.dumps(asdict(fresh)).encode()):
        return fresh
    known = _read(library)
    if known is None:
        raise StoreError(f"{library}/{_NAME}: was deleted by another process; run this again")
    return known


def local_folder(library: str) -> Path | None:
    """Return the local folder of a library; None if it is at a remote URL."""
    scheme, separator, path = library.partition("://")
    if separator and scheme not in ("file", "local"):
        return None
    return Path(path or library).expanduser()


def _read(library: str) -> LibraryId | None:
    try:
        content = parsed(AtomicFolder(library).read(_NAME))
        if not _ID.fullmatch(checked_text(content["id"])):
            raise ValueError("its id must consist of letters and digits")  # noqa: TRY301 - reported with the file
        return LibraryId(content["id"], checked_text(content["place"]))
    except FileNotFoundError:
        return None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{library}/{_NAME}: cannot be read ({error}); remove it and run: momentseek index rebuild"
        ) from error


def _absolute(library: str) -> str:
    folder = local_folder(library)
    return library.rstrip("/") if folder is None else str(folder.absolute())
