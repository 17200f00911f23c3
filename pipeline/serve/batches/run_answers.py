"""JSON of runs in the API: the report of a run, and the state of a batch that this server started."""

from __future__ import annotations

from typing import Any

from pipeline.runs.report import RunReport
from pipeline.runs.summary_fields import SUMMARY_FIELDS
from pipeline.serve.batches.batch_process import BatchProcess
from pipeline.uris import public_name, public_text

__all__ = ["batch_json", "report_json", "run_json"]

# The configuration can name hosts and paths that searchers need not know.
_PRIVATE = frozenset({"configuration", "library", "format"})


def report_json(report: RunReport, batch: BatchProcess | None) -> dict[str, Any]:
    """Summarize a run.

    Args:
        report: Its report.
        batch: The batch, if this server started it: it knows more than a report, which is written once a minute.
    """
    fields = report.model_dump(mode="json", include=set(SUMMARY_FIELDS))
    return {**_public(fields), "rate": report.rate, **_live(batch, report)}


def run_json(report: RunReport | None, batch: BatchProcess | None) -> dict[str, Any]:
    """Describe a run in full.

    Args:
        report: Its report; None if it has written none yet.
        batch: The batch, if this server started it.
    """
    if report is None:
        assert batch is not None
        return {**batch_json(batch), "progress": batch.progress}
    fields = report.model_dump(mode="json", exclude=set(_PRIVATE))
    fields["first_sources"] = list(map(public_name, report.first_sources))
    progress = None if batch is None or batch.is_over else batch.progress
    return {**_public(fields), "rate": report.rate, **_live(batch, report), "progress": progress}


def batch_json(batch: BatchProcess) -> dict[str, Any]:
    """Summarize a batch that has written no report yet."""
    return {
        "run_id": batch.run_id,
        "job_id": None,
        "started_at": batch.started_at,
        "sources": batch.sources,
        **_live(batch, None),
    }


def _public(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "problem": None if fields["problem"] is None else public_text(fields["problem"])}


def _live(batch: BatchProcess | None, report: RunReport | None) -> dict[str, Any]:
    """Return what the server knows better than the report; whether it can stop the run is always said."""
    if batch is None:
        return {"can_stop": False, "is_stopping": False}
    can_stop = {"can_stop": not batch.is_over, "is_stopping": batch.is_stopping and not batch.is_over}
    if report is not None and batch.is_over and report.outcome not in ("running", "lost"):
        # The report is whole by now.
        return can_stop
    return {"outcome": batch.outcome, "problem": batch.problem, "counts": dict(batch.counts), **can_stop}
