"""Names in paths: of cases, saved searches and concepts, which people choose.

The library says what can be a name. A name is refused with the library's message, whatever its length, and whether or
not something could have it.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator

from pipeline.analyze.concepts.concept import check_name
from pipeline.errors import QueryError
from pipeline.library.saved.named_documents import NAME_RULE, check_document_name

__all__ = ["CaseName", "ConceptName", "SearchName"]


def _check_concept_name(name: str) -> str:
    try:
        return check_name(name)
    except ValueError as error:
        raise QueryError(str(error)) from error


# In the patterns of the routes, a name may contain a slash, which would otherwise be answered as an unknown address.
CaseName = Annotated[
    str,
    Path(description=f"Name of the case: {NAME_RULE}. Letter case does not count."),
    AfterValidator(check_document_name),
]
"""Name of a case, as a parameter of a route."""

SearchName = Annotated[
    str,
    Path(description=f"Name of the search: {NAME_RULE}. Letter case does not count."),
    AfterValidator(check_document_name),
]
"""Name of a saved search, as a parameter of a route."""

ConceptName = Annotated[
    str,
    Path(description="Name of the concept: up to 64 letters, digits, _ . and -."),
    AfterValidator(_check_concept_name),
]
"""Name of a concept, as a parameter of a route."""
