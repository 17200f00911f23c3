"""Store of concepts: one file per concept, below a library's folder or URL."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass

from pipeline.analyze.concepts.concept import Concept, check_name, concept_from
from pipeline.errors import QueryError, StoreError
from pipeline.parsing import shown
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.types.record_json import parsed

__all__ = ["ConceptStore"]

_FOLDER = "concepts"
_MOST_BYTES = 4 * 2**20
_ALIKE = 0.6
"""Minimum similarity (difflib's ratio, 0 to 1) of a suggested name to an unknown one."""


@dataclass(frozen=True)
class ConceptStore:
    """The concepts of a library, in `{root_url}/concepts/{name}.json`. Its constructor accesses no files.

    Attributes:
        root_url: The library's folder or URL.
    """

    root_url: str

    @property
    def _folder(self) -> AtomicFolder:
        return AtomicFolder(self.root_url, _FOLDER)

    def names(self) -> list[str]:
        """List the names of all concepts, sorted.

        Raises:
            StoreError: The concepts cannot be listed.
        """
        folder = self._folder
        try:
            files = folder.list("", ".json")
        except OSError as error:
            raise StoreError(f"{folder.root}: cannot be listed: {error}") from error
        return sorted(file.removesuffix(".json") for file in files if _is_name(file.removesuffix(".json")))

    def read(self, name: str) -> Concept:
        """Read a concept.

        Raises:
            QueryError: There is no concept with this name; the message has the nearest name.
            StoreError: Its file is not a concept.
        """
        found = self.find(name)
        if found is None:
            raise QueryError(self._unknown(name))
        return found

    def find(self, name: str) -> Concept | None:
        """Read a concept; None if there is none with this name.

        Raises:
            StoreError: Its file is not a concept.
        """
        if not _is_name(name):
            return None
        folder = self._folder
        try:
            concept = concept_from(parsed(folder.read(f"{name}.json", _MOST_BYTES)))
        except FileNotFoundError:
            return None
        except (OSError, TypeError, ValueError) as error:
            raise StoreError(
                f"{folder.root}/{name}.json: is not a concept ({error}); delete it and fit the concept again"
            ) from error
        if concept.name != name:
            raise StoreError(f"{folder.root}/{name}.json: holds the concept {shown(concept.name)}; delete it")
        return concept

    def write(self, concept: Concept) -> None:
        """Write a concept; an existing one with its name is replaced.

        Raises:
            StoreError: The concept cannot be written.
        """
        self._folder.write(f"{concept.name}.json", json.dumps(concept.as_json()).encode())

    def remove(self, name: str) -> bool:
        """Remove a concept without its marks; return whether it existed.

        Raises:
            StoreError: The concept cannot be removed.
        """
        if not _is_name(name):
            return False
        folder = self._folder
        try:
            return folder.delete(f"{name}.json")
        except OSError as error:
            raise StoreError(f"{folder.root}/{name}.json: cannot be removed: {error}") from error

    def check_new_name(self, name: str) -> None:
        """Reject a name for a new concept that is easily confused with another one.

        Raises:
            QueryError: It is not a valid name, or differs from another one only in case or punctuation.
        """
        try:
            check_name(name)
        except ValueError as error:
            raise QueryError(str(error)) from error
        for other in self.names():
            if other != name and _letters(other) == _letters(name):
                raise QueryError(
                    f"there is a concept {other!r} already, which is easily confused with {name!r}; use that"
                    " name, or another one"
                )

    def _unknown(self, name: str) -> str:
        names = self.names()
        near = difflib.get_close_matches(name.casefold(), [known.casefold() for known in names], n=1, cutoff=_ALIKE)
        if near:
            nearest = next(known for known in names if known.casefold() == near[0])
            return f"no concept {shown(name)} in this library; did you mean {nearest!r}?"
        there = f"there are: {', '.join(names[:10])}" if names else "it has none yet"
        return f"no concept {shown(name)} in this library; {there} (make one with: momentseek concept NAME)"


def _is_name(name: str) -> bool:
    try:
        check_name(name)
    except ValueError:
        return False
    return True


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())
