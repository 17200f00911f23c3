"""Some videos of a store, as if there were no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from pipeline.errors import StoreError
from pipeline.store.background import FrameSample, draw_sample
from pipeline.store.parquet_store import ParquetStore
from pipeline.types import FrameEmbeddings, VideoRecord

__all__ = ["ChosenVideos"]


@dataclass(frozen=True)
class ChosenVideos:
    """A `ReadableStore` of some videos of another store, under names of their own.

    Attributes:
        store: Where they are, among others.
        names: By the ids of those that are chosen, what they are called.
    """

    store: ParquetStore
    names: Mapping[str, tuple[str, ...]]

    def read(self, video_id: str) -> FrameEmbeddings:
        """Read a video's frame embeddings.

        Raises:
            StoreError: There is no such video among them, or its file is broken.
        """
        if video_id not in self.names:
            raise StoreError(f"{video_id}: is none of the {len(self.names)} videos that were chosen")
        return self.store.read(video_id)

    def record(self, video_id: str) -> VideoRecord | None:
        """What is known of a video, and what it is called; None where it is not chosen, or not kept."""
        record = self.store.record(video_id) if video_id in self.names else None
        return None if record is None else replace(record, names=self.names[video_id])

    def records(self) -> Iterator[VideoRecord]:
        """All records, ordered by video id."""
        return (record for video_id in sorted(self.names) if (record := self.record(video_id)) is not None)

    def background(self, rows: int) -> FrameSample:
        """A few frame embeddings of them, drawn anew; `rows` is the index's size now."""
        return draw_sample(self.names, self.store.some_vectors, rows)
