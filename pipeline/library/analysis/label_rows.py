"""Writes the labels of videos to the rows of the index, so that searches filter by them."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.library.labels.index_rows import LabelledRows
from pipeline.library.library import Library
from pipeline.library.verification import OnVideo

__all__ = ["apply_labels"]


def apply_labels(
    library: Library, video_ids: Iterable[str] | None = None, *, on_video: OnVideo | None = None
) -> LabelledRows:
    """Write the current labels of videos to their rows in the index.

    Called after the labels are written. An interrupted run is completed by labelling again; rows with current labels
    are left unchanged. Until then, searches return the same results, by the labels themselves.

    Args:
        library: The library.
        video_ids: Ids of the videos; None for all. Unknown ids are ignored.
        on_video: Called with the number of videos done and their total.

    Raises:
        ConfigError: The library's frames were sampled under another configuration, or its index is elsewhere.
        MomentIndexError: The index cannot be read or written.
        StoreError: The library is read-only, or the label set cannot be read.
    """
    if video_ids is None:
        return library.write_label_rows(on_video=on_video)
    found = map(library.store.record, dict.fromkeys(video_ids))
    return library.write_label_rows([record for record in found if record is not None], on_video=on_video)
