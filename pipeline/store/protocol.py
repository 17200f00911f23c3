"""Protocols of embedding stores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from pipeline.store.frame_sample import FrameSample
from pipeline.types import FrameEmbeddings, VideoRecord

__all__ = ["EmbeddingStore", "ReadableStore"]


class ReadableStore(Protocol):
    """A readable store of frame embeddings and video records."""

    def read(self, video_id: str) -> FrameEmbeddings:
        """Read a video's frame embeddings.

        Raises:
            StoreError: There is no such video, or its file is broken.
        """

    def record(self, video_id: str) -> VideoRecord | None:
        """Read a video's record; None if the video is not in the store."""

    def records(self) -> Iterator[VideoRecord]:
        """Read all records, ordered by video id."""

    def frame_sample(self, rows: int) -> FrameSample:
        """Sample a few frame embeddings of many videos; `rows` is the index's row count, to renew it on growth."""


class EmbeddingStore(ReadableStore, Protocol):
    """A writable store of frame embeddings and video records; a video is written whole or not at all.

    A store belongs to one sampling fingerprint and one encoder fingerprint; one root can hold several stores.
    """

    def write(self, record: VideoRecord, frames: FrameEmbeddings) -> None:
        """Write a video's record and frame embeddings, replacing earlier ones.

        Raises:
            StoreError: The video could not be written; no partial result is visible.
        """

    def add_name(self, video_id: str, name: str) -> VideoRecord:
        """Add a name to a video, if it does not have it yet."""

    def take_name(self, video_id: str, name: str) -> tuple[str, ...]:
        """Assign a name to this video only, since it was found at that location; for others it becomes a former name.

        Returns:
            The ids of the videos that lost the name.
        """

    def delete(self, video_id: str) -> bool:
        """Delete a video; return whether it existed."""
