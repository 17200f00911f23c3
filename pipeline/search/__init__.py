"""Search: answer a question with moments."""

from __future__ import annotations

from pipeline.search.answer import Answer
from pipeline.search.query import Query, Step, Term, Then, as_query, read_query
from pipeline.search.query_images import QueryImages
from pipeline.search.searcher import Searcher
from pipeline.search.settings import Searching

__all__ = ["Answer", "Query", "QueryImages", "Searcher", "Searching", "Step", "Term", "Then", "as_query", "read_query"]
