"""Real, tiny videos in a library, as if a model of three words had seen them; nothing is encoded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from contracts.word_world import video
from video_factory import Made

from pipeline.index.rewrite import replace_rows
from pipeline.library import Library
from pipeline.types import Scalar
from pipeline.video import content_id
from pipeline.video.pyav.decoder import PyAVDecoder

__all__ = ["add_video"]


def add_video(library: Library, made: Made | Path, metadata: dict[str, Scalar] | None = None) -> str:
    """Put a real video into a library as if it showed red, then green; return its id."""
    path = str(made)
    record, frames = video("x", "red", "green", metadata=metadata)
    video_id = content_id(path)
    with PyAVDecoder().open(path) as stream:
        info = stream.info
        end = float(made.end) if isinstance(made, Made) else float(info.duration_seconds or 4)
    record = replace(record, video_id=video_id, names=(path,), info=info, duration_seconds=end, covered_seconds=end)
    library.store.write(record, replace(frames, video_id=video_id))
    rows = library.row_recipe.rows(library.store.read(video_id), record.metadata)
    replace_rows(library.moment_index(), video_id, rows)
    return video_id
