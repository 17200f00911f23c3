"""Marks: a person's verdicts on parts of videos, stored in the library."""

from __future__ import annotations

from pipeline.analyze.marks.mark import Mark, Verdict
from pipeline.analyze.marks.mark_store import MarkStore

__all__ = ["Mark", "MarkStore", "Verdict"]
