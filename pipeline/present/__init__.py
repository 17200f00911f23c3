"""What people look at: pictures of moments, clips, and text that is safe to print."""

from __future__ import annotations

from pipeline.present.clips import clip_name, export_clip
from pipeline.present.contact_sheet import contact_sheet, frame_at
from pipeline.present.text import file_name, printable

__all__ = ["clip_name", "contact_sheet", "export_clip", "file_name", "frame_at", "printable"]
