"""Groups a library's videos by camera."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.types import Scalar, VideoRecord

__all__ = ["cameras_of"]


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
