"""Check this machine and a library for `momentseek doctor`."""

from __future__ import annotations

from pipeline.library.doctor.examination import examine
from pipeline.library.doctor.finding import Finding

__all__ = ["Finding", "examine"]
