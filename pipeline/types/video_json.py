"""Video records as JSON for programs: the output of `momentseek videos --json`, without exact fractions."""

from __future__ import annotations

from typing import Any

from pipeline.types.records import VideoRecord

__all__ = ["video_json"]


def video_json(record: VideoRecord) -> dict[str, Any]:
    """Convert a video's record to JSON types."""
    return {
        "video_id": record.video_id,
        "names": list(record.names),
        "former_names": list(record.former_names),
        "status": str(record.status),
        "duration_seconds": record.duration_seconds,
        "covered_seconds": record.covered_seconds,
        "frame_count": record.frame_count,
        "problem": record.problem,
        "width": record.info.width,
        "height": record.info.height,
        "codec": record.info.codec,
        "metadata": dict(record.metadata),
    }
