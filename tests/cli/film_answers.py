"""What the sample films show, and what a search in them found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

# What the films show when: their truth, looked up in sample_videos/moments.jsonl.
LADDERS = {("warehouse-shift", 0.0, 8.3), ("fire-drill", 8.6, 12.8), ("street-corner", 5.1, 9.9)}
HATS, LADDER = "person in hard hat", "a person climbing a ladder"
Search = Callable[..., SimpleNamespace]
"""Searches with the arguments of `momentseek search`; the result has the moments, as JSON, and standard error."""


def names(moments: list[dict]) -> list[str]:
    return [Path(moment["uri"]).stem for moment in moments]


def windows(moments: list[dict]) -> set[tuple[str, float, float]]:
    return {(Path(m["uri"]).stem, round(m["start_seconds"], 1), round(m["end_seconds"], 1)) for m in moments}
