"""The cameras of a library's videos, which an entry of their metadata names."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.search.filters.metadata import check_names
from pipeline.types import Scalar, VideoRecord

__all__ = ["CAMERA", "cameras_of", "check_camera"]

CAMERA = "camera"
"""The usual name of the entry; videos need not have it."""


def check_camera(records: Sequence[VideoRecord], name: str) -> None:
    """Check that some video has a metadata entry, unless it has the usual name.

    Raises:
        QueryError: No video has the entry.
    """
    if name != CAMERA and records:
        check_names(records, (name,))


def cameras_of(records: Sequence[VideoRecord], name: str) -> list[tuple[Scalar | None, tuple[VideoRecord, ...]]]:
    """Group videos by the value of a metadata entry, ordered by its text; videos without it are last, under None.

    Args:
        records: The videos.
        name: Name of the metadata entry that names a video's camera.
    """
    groups: dict[Scalar | None, list[VideoRecord]] = {}
    for record in records:
        groups.setdefault(record.metadata.get(name), []).append(record)
    ordered = sorted(groups, key=lambda value: (value is None, str(value)))
    return [(value, tuple(groups[value])) for value in ordered]
