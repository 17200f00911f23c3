"""The fields of a run's report that a list of runs shows, on the command line and in the API."""

from __future__ import annotations

__all__ = ["SUMMARY_FIELDS"]

SUMMARY_FIELDS = (
    "run_id",
    "job_id",
    "outcome",
    "problem",
    "started_at",
    "updated_at",
    "elapsed_seconds",
    "sources",
    "counts",
    "video_seconds",
)
"""Names of fields of `RunReport`, in the order of their output."""
