"""From a question to moments."""

from __future__ import annotations

from pipeline.search.searcher import Searcher
from pipeline.search.settings import Searching

__all__ = ["Searcher", "Searching"]
