"""Labels in the index: after videos were labelled, their rows carry it, and searches filter by it."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.library.labels.index_rows import LabelledRows
from pipeline.library.library import Library
from pipeline.library.verification import OnVideo

__all__ = ["apply_labels"]


def apply_labels(
    library: Library, video_ids: Iterable[str] | None = None, *, on_video: OnVideo | None = None
) -> LabelledRows:
    """Write labels to the index's rows of videos, as the library keeps them by now.

    To be called after the labels were written. If it is ended early, or the labelling before it, both are run again:
    rows that carry their labels are left alone. Until then a search answers the same, by the labels themselves.

    Args:
        library: The library.
        video_ids: Of the videos; None for all. Ids of which the library has no video are ignored.
        on_video: Called with the number of videos done and their total.

    Raises:
        ConfigError: The library's frames were sampled under another configuration, or its index is elsewhere.
        MomentIndexError: The index cannot be read or written.
        StoreError: The library is read-only, or what is kept of the label set cannot be read.
    """
    if video_ids is None:
        return library.write_label_rows(on_video=on_video)
    found = map(library.store.record, dict.fromkeys(video_ids))
    return library.write_label_rows([record for record in found if record is not None], on_video=on_video)
