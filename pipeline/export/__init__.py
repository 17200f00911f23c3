"""Export of answers: contact sheets, clips and JSON."""

from __future__ import annotations

from pipeline.export.answer_json import absence_json, answer_json, moment_json
from pipeline.export.clip_names import clip_name
from pipeline.export.clips import export_clip
from pipeline.export.contact_sheet import contact_sheet

__all__ = [
    "absence_json",
    "answer_json",
    "clip_name",
    "contact_sheet",
    "export_clip",
    "moment_json",
]
