"""Named JSON documents in a library that several writers can change without losing each other's changes.

A document is a sequence of numbered revisions, each a file of its own. A revision is written by creating its file,
which only one of several writers can do, on a disk and in an object store, so no lock is needed. Once a revision is
written, the files of the earlier ones are removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import QueryError, StoreError, VersionMismatchError
from pipeline.parsing import is_unicode, shown
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.types.record_json import parsed

__all__ = [
    "ANY_VERSION",
    "NAME_RULE",
    "NO_VERSION",
    "DocumentState",
    "NamedDocument",
    "NamedDocuments",
    "check_document_name",
]

ANY_VERSION = "*"
"""Expected version of a document that must exist, whatever its version is."""
NO_VERSION = ""
"""Expected version of a document that must not exist."""

_FORMAT = 1
_FILE = re.compile(r"(?P<key>[0-9a-f]{16})-(?P<revision>[0-9]{8})\.json")
_LONGEST_NAME = 100
NAME_RULE = f"up to {_LONGEST_NAME} characters, without slashes, no dot at the beginning and no .csv at the end"
"""What the name of a document may be, for people."""
_MOST_TRIES = 50
_MOST_BYTES = 16 * 2**20

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class NamedDocument:
    """A revision of a document.

    Attributes:
        name: Its name.
        version: Identity of this revision.
        fields: Its content, JSON values.
    """

    name: str
    version: str
    fields: Fields


@dataclass(frozen=True)
class DocumentState:
    """The latest revision of a document as it is stored.

    Attributes:
        revision: Its number; 0 if there is none.
        version: Its identity; empty if there is none.
        document: The document; None if there is none, or if it was removed.
    """

    revision: int = 0
    version: str = ""
    document: NamedDocument | None = None


class NamedDocuments:
    """The documents of one kind in a library. The constructor accesses no files.

    Args:
        root_url: The library's folder or URL.
        folder: Name of their folder.
        kind: What one of them is called in messages, such as "case".
    """

    def __init__(self, root_url: str, folder: str, kind: str) -> None:
        self._place = AtomicFolder(root_url, folder)
        self._kind = kind

    def listed(self) -> list[NamedDocument]:
        """Read all documents, ordered by name.

        Raises:
            StoreError: They cannot be listed, or one is broken.
        """
        states = [self._state(key) for key in self._latest()]
        found = [state.document for state in states if state.document is not None]
        return sorted(found, key=lambda document: (document.name.casefold(), document.name))

    def find(self, name: str) -> NamedDocument | None:
        """Read a document; None if there is none with this name. Letter case and amounts of white space do not count.

        Raises:
            StoreError: It cannot be read, or is broken.
        """
        try:
            return self._state(_key(check_document_name(name))).document
        except QueryError:
            return None

    def update(
        self, name: str, make: Callable[[Fields | None], Fields], *, expected: str | None = None
    ) -> tuple[NamedDocument, bool]:
        """Write a document; if it has these fields already, nothing is written.

        Args:
            name: Its name; an existing document keeps its fields, but takes this spelling.
            make: Makes the fields from the current ones, None for a new document. It is called again if another writer
                was quicker.
            expected: The version that is replaced: a version, `ANY_VERSION` or `NO_VERSION`; None for whatever is
                there.

        Returns:
            The document, and whether it is new.

        Raises:
            QueryError: The name is invalid.
            VersionMismatchError: Another version is there.
            StoreError: It cannot be written.
        """
        name = check_document_name(name)

        def fields_of(state: DocumentState) -> Fields | None:
            current = state.document
            made = make(None if current is None else current.fields)
            is_same = current is not None and current.name == name and dict(current.fields) == dict(made)
            return None if is_same else made

        before, after = self._replace(name, fields_of, expected)
        document = after.document
        assert document is not None
        return document, before.document is None

    def remove(self, name: str, *, expected: str | None = None) -> bool:
        """Remove a document; return whether it existed.

        Args:
            name: Its name.
            expected: The version that is removed, as for `update`.

        Raises:
            VersionMismatchError: Another version is there.
            StoreError: It cannot be removed.
        """
        try:
            name = check_document_name(name)
        except QueryError:
            return False
        before, _ = self._replace(name, lambda _state: None, expected, is_removal=True)
        return before.document is not None

    def _replace(
        self,
        name: str,
        fields_of: Callable[[DocumentState], Fields | None],
        expected: str | None,
        *,
        is_removal: bool = False,
    ) -> tuple[DocumentState, DocumentState]:
        """Write the next revision; return the states before and after, which are equal if nothing is to be written."""
        key = _key(name)
        for _ in range(_MOST_TRIES):
            before = self._state(key)
            self._check_expected(name, before, expected)
            fields = fields_of(before)
            if fields is None and (not is_removal or before.document is None):
                return before, before
            content = _content(None if fields is None else name, fields, before.version)
            version = _version(before.revision + 1, content)
            document = None if fields is None else NamedDocument(name, version, fields)
            after = DocumentState(before.revision + 1, version, document)
            if self._place.create(_file(key, after.revision), content) and self._is_in_sequence(key, after):
                self._prune(key, after.revision)
                return before, after
        raise StoreError(f"the {self._kind} {name!r} is written to all the time by others; try again")

    def _check_expected(self, name: str, state: DocumentState, expected: str | None) -> None:
        exists = state.document is not None
        if expected is None or (expected == ANY_VERSION and exists) or (expected == NO_VERSION and not exists):
            return
        if not exists or expected != state.version:
            there = "was changed meanwhile" if exists else "does not exist"
            there = "exists already" if expected == NO_VERSION else there
            raise VersionMismatchError(f"the {self._kind} {name!r} {there}; read it again, and repeat your change")

    def _is_in_sequence(self, key: str, written: DocumentState) -> bool:
        """Whether a revision is the latest, or the latest was made from it.

        A writer that was very slow may have written a revision whose number was in use before, and removed meanwhile.
        """
        latest = self._state(key)
        return latest.version == written.version or self._previous(key, latest.revision) == written.version

    def _previous(self, key: str, revision: int) -> str | None:
        fields = self._read(key, revision)
        return None if fields is None else str(fields.get("previous"))

    def _prune(self, key: str, revision: int) -> None:
        """Remove earlier revisions; one that stays is removed by the next writer."""
        for other, number in self._files():
            if other == key and number < revision:
                with contextlib.suppress(OSError, StoreError):
                    self._place.delete(_file(key, number))

    def _state(self, key: str) -> DocumentState:
        for _ in range(_MOST_TRIES):
            revision = self._latest().get(key)
            if revision is None:
                return DocumentState()
            fields = self._read(key, revision)
            if fields is not None:
                return self._state_of(key, revision, fields)
            # It was replaced since it was listed.
        raise StoreError(f"{self._place.root}: a {self._kind} is written to all the time by others; try again")

    def _state_of(self, key: str, revision: int, fields: Fields) -> DocumentState:
        path = f"{self._place.root}/{_file(key, revision)}"
        try:
            if fields["format"] != _FORMAT:
                raise ValueError(f"its format is {shown(fields['format'])}")  # noqa: TRY301 - as what follows
            content, previous = fields["content"], str(fields["previous"])
            if content is None:
                return DocumentState(revision, _version(revision, _content(None, None, previous)))
            name = check_document_name(fields["name"])
            if _key(name) != key or not isinstance(content, dict):
                raise ValueError(f"it holds {shown(name)}")  # noqa: TRY301 - as what precedes
        except (KeyError, TypeError, ValueError, QueryError) as error:
            raise StoreError(f"{path}: is not a {self._kind} ({error}); delete it") from error
        version = _version(revision, _content(name, content, previous))
        return DocumentState(revision, version, NamedDocument(name, version, content))

    def _read(self, key: str, revision: int) -> Fields | None:
        """Read a revision; None if it was removed since it was listed."""
        name = _file(key, revision)
        try:
            return parsed(self._place.read(name, _MOST_BYTES))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StoreError(f"{self._place.root}/{name}: is not a {self._kind} ({error}); delete it") from error

    def _latest(self) -> dict[str, int]:
        """List the number of the latest revision of each document, removed ones included, by key."""
        return dict(sorted(self._files()))

    def _files(self) -> list[tuple[str, int]]:
        try:
            names = self._place.list("", ".json")
        except OSError as error:
            raise StoreError(f"{self._place.root}: cannot be listed: {error}") from error
        found = filter(None, map(_FILE.fullmatch, names))
        return [(match["key"], int(match["revision"])) for match in found]


def check_document_name(name: object) -> str:
    """Check a name for a document, and return it with single spaces, and accents composed with their letters (NFC).

    Raises:
        QueryError: It is not a valid name.
    """
    text = unicodedata.normalize("NFC", " ".join(name.split())) if isinstance(name, str) else ""
    is_plain = is_unicode(text) and text.isprintable() and not set(text) & set("/\\")
    if not 0 < len(text) <= _LONGEST_NAME or not is_plain or text.startswith(".") or text.casefold().endswith(".csv"):
        raise QueryError(f"{shown(name)} cannot be a name: use {NAME_RULE}")
    return text


def _key(name: str) -> str:
    return hashlib.sha256(name.casefold().encode()).hexdigest()[:16]


def _file(key: str, revision: int) -> str:
    return f"{key}-{revision:08d}.json"


def _content(name: str | None, fields: Fields | None, previous: str) -> bytes:
    """Write a revision; one without fields says that the document was removed, and does not name it."""
    content = {"format": _FORMAT, "name": name, "previous": previous, "content": None if fields is None else {**fields}}
    return json.dumps(content, indent=1).encode()


def _version(revision: int, content: bytes) -> str:
    return f"{revision}-{hashlib.sha256(content).hexdigest()[:16]}"
