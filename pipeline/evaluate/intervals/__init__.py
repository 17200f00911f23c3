"""Evaluation of labels, and of the rules of policies, on labelled intervals."""

from __future__ import annotations

from pipeline.evaluate.intervals.case import Interval, LabelCase, Prediction, is_within, joined
from pipeline.evaluate.intervals.evaluation import (
    INTERVAL_RULE,
    IntervalEvaluation,
    LabelScore,
    WorstCase,
    evaluate_intervals,
)
from pipeline.evaluate.intervals.interval_files import (
    IntervalSet,
    LabelledIntervals,
    interval_set_in,
    is_interval_set,
    read_interval_set,
)
from pipeline.evaluate.intervals.prediction_file import PredictedInterval, read_predictions

__all__ = [
    "INTERVAL_RULE",
    "Interval",
    "IntervalEvaluation",
    "IntervalSet",
    "LabelCase",
    "LabelScore",
    "LabelledIntervals",
    "PredictedInterval",
    "Prediction",
    "WorstCase",
    "evaluate_intervals",
    "interval_set_in",
    "is_interval_set",
    "is_within",
    "joined",
    "read_interval_set",
    "read_predictions",
]
