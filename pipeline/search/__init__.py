"""Search: answer a question with moments.

Importing this package loads nothing but itself; each name below is loaded when it is first used, so that a command that
only passes a question to a server loads no search.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.search.answer import Answer
    from pipeline.search.query import Query, Step, Term, Then, as_query, read_query
    from pipeline.search.query_images import QueryImages
    from pipeline.search.searcher import Searcher
    from pipeline.search.settings import Searching

__all__ = ["Answer", "Query", "QueryImages", "Searcher", "Searching", "Step", "Term", "Then", "as_query", "read_query"]

_HOMES = {
    "Answer": "answer",
    "QueryImages": "query_images",
    "Searcher": "searcher",
    "Searching": "settings",
    **dict.fromkeys(("Query", "Step", "Term", "Then", "as_query", "read_query"), "query"),
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
