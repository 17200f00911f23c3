"""What people look at: pictures of moments, clips, and text that is safe to print; and answers as JSON for programs."""

from __future__ import annotations

from pipeline.present.answer_json import absence_json, answer_json, moment_json
from pipeline.present.clip_names import clip_name
from pipeline.present.clips import export_clip
from pipeline.present.contact_sheet import contact_sheet, frame_at
from pipeline.present.text import counted, file_name, printable, score_text, time_text

__all__ = [
    "absence_json",
    "answer_json",
    "clip_name",
    "contact_sheet",
    "counted",
    "export_clip",
    "file_name",
    "frame_at",
    "moment_json",
    "printable",
    "score_text",
    "time_text",
]
