"""Reports on sources as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pipeline.types.records import Source, Status, VideoReport
from pipeline.uris import public_name

__all__ = ["report_from", "report_json"]


def report_json(report: VideoReport) -> dict[str, Any]:
    """Convert a report to JSON types; its location loses credentials."""
    fields = asdict(report)
    source = fields.pop("source")
    return {"uri": public_name(source["uri"]), **fields, "metadata": source["metadata"]}


def report_from(fields: Mapping[str, Any]) -> VideoReport:
    """Read a report from the JSON of `report_json`.

    Raises:
        KeyError, TypeError, ValueError: The fields are not those of a report.
    """
    rest = {name: value for name, value in fields.items() if name not in ("uri", "metadata", "status", "replaced")}
    source, replaced = Source(fields["uri"], fields["metadata"]), tuple(fields.get("replaced", ()))
    return VideoReport(source=source, status=Status(fields["status"]), replaced=replaced, **rest)
