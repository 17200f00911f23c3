"""Names in paths: of cases, saved searches and whatever else people name themselves."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator

from pipeline.library.saved.named_documents import check_document_name

__all__ = ["CaseName", "SearchName"]

# An invalid name is answered by what is wrong with it, whether or not something could have it. In the patterns of the
# routes, a name may contain a slash, which would otherwise be answered as an unknown address.
CaseName = Annotated[
    str,
    Path(max_length=200, description="Name of the case; letter case does not count."),
    AfterValidator(check_document_name),
]
"""Name of a case, as a parameter of a route."""

SearchName = Annotated[
    str,
    Path(max_length=200, description="Name of the search; letter case does not count."),
    AfterValidator(check_document_name),
]
"""Name of a saved search, as a parameter of a route."""
