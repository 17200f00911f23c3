"""Evaluation of search answers against labelled moments."""

from __future__ import annotations

from pipeline.evaluate.bootstrap import Resampling
from pipeline.evaluate.comparison import MetricDifference, compare, holm, question_differences
from pipeline.evaluate.concepts import ConceptScore
from pipeline.evaluate.evaluation import Evaluation, ScoredAnswer
from pipeline.evaluate.highlights import FrameSaliency, Saliency, highlight_scores
from pipeline.evaluate.label_formats import LabelledSet, read_labelled, read_labelled_set
from pipeline.evaluate.labels import ClipSaliency, LabelledQuery, write_labelled
from pipeline.evaluate.metrics import MATCHING_RULE, average_precision, moment_metrics, moment_scores, window_ious
from pipeline.evaluate.rejection import RejectionCurve, RejectionPoint, TopAnswer, rejection_curve
from pipeline.evaluate.run import OnSearch, SearchableLibrary, evaluate, split_missing
from pipeline.evaluate.video_ranking import ndcg

__all__ = [
    "MATCHING_RULE",
    "ClipSaliency",
    "ConceptScore",
    "Evaluation",
    "FrameSaliency",
    "LabelledQuery",
    "LabelledSet",
    "MetricDifference",
    "OnSearch",
    "RejectionCurve",
    "RejectionPoint",
    "Resampling",
    "Saliency",
    "ScoredAnswer",
    "SearchableLibrary",
    "TopAnswer",
    "average_precision",
    "compare",
    "evaluate",
    "highlight_scores",
    "holm",
    "moment_metrics",
    "moment_scores",
    "ndcg",
    "question_differences",
    "read_labelled",
    "read_labelled_set",
    "rejection_curve",
    "split_missing",
    "window_ious",
    "write_labelled",
]
