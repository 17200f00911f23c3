"""The colours of pictures."""

from __future__ import annotations

__all__ = ["ACCENT", "GROUND", "LINE", "QUIET", "RIGHT", "STEPS", "TEXT", "TILE", "WRONG"]

GROUND, TILE, LINE = "#101216", "#191c22", "#2a2e37"
TEXT, QUIET, ACCENT = "#f2f3f5", "#949aa6", "#6ea8fe"
RIGHT, WRONG = "#4ade80", "#f0716f"
STEPS = ACCENT, "#f5b85b", "#4fd1c5", "#f08bb4", "#b79cf7"
"""Of what comes one after another, in turn."""
