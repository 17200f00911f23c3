"""Implementations of `EmbeddingSink`: for a library (store and index), and for a store alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.index.protocol import MomentIndex
from pipeline.index.rewrite import remove_other_rows
from pipeline.segment.row_recipe import RowRecipe
from pipeline.store.protocol import EmbeddingStore
from pipeline.types import FrameEmbeddings, IndexedSegment, Scalar

__all__ = ["LibrarySink", "StoreSink"]


@dataclass(frozen=True, kw_only=True)
class LibrarySink:
    """An `EmbeddingSink` that stores embeddings and writes the rows of their segments to an index.

    Attributes:
        store: Holds the frame embeddings.
        recipe: Makes the rows of the frame embeddings.
        index: Holds the rows.
    """

    store: EmbeddingStore
    recipe: RowRecipe
    index: MomentIndex

    def rows(self, frames: FrameEmbeddings, metadata: Mapping[str, Scalar]) -> Sequence[IndexedSegment]:
        """Make the rows of a video with the recipe."""
        return self.recipe.rows(frames, metadata)

    def row_keys(self, frames: FrameEmbeddings) -> frozenset[str]:
        """Return the keys of the rows that the recipe would make."""
        return self.recipe.keys(frames)

    def written_keys(self, *video_ids: str) -> frozenset[str]:
        """Return the keys of the rows that the index holds of these videos."""
        return self.index.keys_of(*video_ids)

    def write_rows(self, rows_of: Mapping[str, Sequence[IndexedSegment]]) -> None:
        """Write rows to the index, and remove all other rows of these videos."""
        remove_other_rows(self.index, rows_of)
        self.index.upsert([row for rows in rows_of.values() for row in rows])

    def delete_rows(self, video_id: str) -> None:
        """Delete a video from the index."""
        self.index.delete_video(video_id)

    def check(self) -> None:
        """Count the index's rows, which fails if the index cannot be used."""
        self.index.count()


@dataclass(frozen=True)
class StoreSink:
    """An `EmbeddingSink` that only stores embeddings: it makes no rows, and writes none.

    Attributes:
        store: Holds the frame embeddings.
    """

    store: EmbeddingStore

    def rows(self, frames: FrameEmbeddings, metadata: Mapping[str, Scalar]) -> Sequence[IndexedSegment]:  # noqa: ARG002
        """Return no rows."""
        return ()

    def row_keys(self, frames: FrameEmbeddings) -> frozenset[str]:  # noqa: ARG002
        """Return no keys."""
        return frozenset()

    def written_keys(self, *video_ids: str) -> frozenset[str]:  # noqa: ARG002
        """Return no keys."""
        return frozenset()

    def write_rows(self, rows_of: Mapping[str, Sequence[IndexedSegment]]) -> None:
        """Do nothing."""

    def delete_rows(self, video_id: str) -> None:
        """Do nothing."""

    def check(self) -> None:
        """Do nothing."""
