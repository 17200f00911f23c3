"""Experiments: comparisons of several configurations on the same videos and labelled moments."""

from __future__ import annotations

from pipeline.experiments.results import FRONT_METRIC, ExperimentResult, VariantResult, select
from pipeline.experiments.run import run_experiment
from pipeline.experiments.settings import Experiment, Variant, load_experiment

__all__ = [
    "FRONT_METRIC",
    "Experiment",
    "ExperimentResult",
    "Variant",
    "VariantResult",
    "load_experiment",
    "run_experiment",
    "select",
]
