"""Scoring answers against labelled moments."""

from __future__ import annotations

from pipeline.evaluate.labelled import LabelledQuery, read_labelled
from pipeline.evaluate.metrics import average_precision, moment_metrics, window_ious
from pipeline.evaluate.run import Answer, Evaluation, SearchableLibrary, evaluate

__all__ = [
    "Answer",
    "Evaluation",
    "LabelledQuery",
    "SearchableLibrary",
    "average_precision",
    "evaluate",
    "moment_metrics",
    "read_labelled",
    "window_ious",
]
