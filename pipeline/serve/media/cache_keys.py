"""The keys of cached pictures and copies, each of which belongs to a video."""

from __future__ import annotations

from collections.abc import Hashable

__all__ = ["video_of"]


def video_of(key: Hashable) -> str:
    """Return the id of the video that a key belongs to: its `video_id`, or the second of several values."""
    found = getattr(key, "video_id", None)
    if found is None and isinstance(key, tuple):
        found = key[1]
    return str(found)
