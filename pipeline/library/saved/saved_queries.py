"""Saved queries: whole questions that a library keeps under a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.analyze.marks.mark import now
from pipeline.errors import QueryError, StoreError
from pipeline.library.saved.named_documents import NamedDocument
from pipeline.library.saved.saved_collection import SavedCollection
from pipeline.library.stored_library import StoredLibrary
from pipeline.search import Query, as_query
from pipeline.types.record_json import checked_text

__all__ = ["LibraryQueries", "SavedQuery"]

_LONGEST_DESCRIPTION = 4000


@dataclass(frozen=True)
class SavedQuery:
    """A question with a name.

    Attributes:
        name: Its name; letter case does not count.
        version: Identity of this revision.
        query: The question.
        description: What it is for; may be empty.
        by: Name of the person who saved it; may be empty.
        saved_at: When it was saved, in UTC, such as "2026-11-21T17:00:00Z".
    """

    name: str
    version: str
    query: Query
    description: str
    by: str
    saved_at: str


class LibraryQueries(SavedCollection[SavedQuery]):
    """The saved queries of a library, in `{library}/queries/`. Several people can change them at once.

    Args:
        library: The library.
    """

    def __init__(self, library: StoredLibrary) -> None:
        super().__init__(library, "queries", "saved query", _saved_query)

    def put(
        self, name: str, query: Query, *, description: str = "", by: str = "", expected: str | None = None
    ) -> tuple[SavedQuery, bool]:
        """Save a question, or replace the one with this name; if it is the same, nothing is written.

        Args:
            name: Its name.
            query: The question.
            description: What it is for.
            by: Name of the person who saves it.
            expected: The version that is replaced, as for `NamedDocuments.update`; None for whatever is there.

        Returns:
            The saved query, and whether it is new.

        Raises:
            QueryError: The name or the description is invalid.
            VersionMismatchError: Another version is there.
            StoreError: The library is read-only, or the query cannot be written.
        """
        if len(description) > _LONGEST_DESCRIPTION:
            raise QueryError(f"the description has more than {_LONGEST_DESCRIPTION:,} characters; shorten it")
        self._prepare()
        fields = {"query": query.model_dump(mode="json", exclude_defaults=True), "description": description}

        def made(current: Mapping[str, Any] | None) -> Mapping[str, Any]:
            if current is not None and fields == {key: current[key] for key in fields}:
                return current
            return {**fields, "by": by, "saved_at": now()}

        document, is_new = self._documents.update(name, made, expected=expected)
        return _saved_query(document), is_new


def _saved_query(document: NamedDocument) -> SavedQuery:
    fields = document.fields
    try:
        query = as_query(fields["query"])
        texts = [checked_text(fields[name]) for name in ("description", "by", "saved_at")]
    except (KeyError, TypeError, QueryError) as error:
        raise StoreError(
            f"the saved query {document.name!r} is broken ({error}); remove its file from the library's folder queries"
        ) from error
    return SavedQuery(document.name, document.version, query, *texts)
