"""The seam between the pipeline and where frame embeddings are kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from pipeline.store.frame_sample import FrameSample
from pipeline.types import FrameEmbeddings, VideoRecord

__all__ = ["EmbeddingStore", "ReadableStore"]


class ReadableStore(Protocol):
    """Gives, for each video, its frame embeddings and its record."""

    def read(self, video_id: str) -> FrameEmbeddings:
        """Read a video's frame embeddings.

        Raises:
            StoreError: There is no such video, or its file is broken.
        """

    def record(self, video_id: str) -> VideoRecord | None:
        """What is known of a video; None where it isn't kept."""

    def records(self) -> Iterator[VideoRecord]:
        """All records, ordered by video id."""

    def frame_sample(self, rows: int) -> FrameSample:
        """A few frame embeddings of many videos, drawn anew as the library grows; `rows` is the index's size now."""


class EmbeddingStore(ReadableStore, Protocol):
    """Keeps, for each video, its frame embeddings and its record; whole or not at all.

    A store is bound to one fingerprint of sampling and one of the encoder; several live side by side under one root.
    """

    def write(self, record: VideoRecord, frames: FrameEmbeddings) -> None:
        """Keep a video, replacing what was kept of it.

        Raises:
            StoreError: It could not be written; nothing partial is left that counts.
        """

    def add_name(self, video_id: str, name: str) -> VideoRecord:
        """Note another name of the same content; a name that is known already changes nothing."""

    def take_name(self, video_id: str, name: str) -> tuple[str, ...]:
        """Assign a name to one video only, the one found at that place; for others it becomes a former name.

        Returns:
            The ids of the videos that lost the name.
        """

    def delete(self, video_id: str) -> bool:
        """Forget a video; whether there was one."""
