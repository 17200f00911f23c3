"""Stores of experiments: one that writes to the stores of several samplings, and a view of selected videos."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline.errors import StoreError
from pipeline.store.frame_sample import FrameSample, draw_sample
from pipeline.store.parquet_store import ParquetStore
from pipeline.store.protocol import EmbeddingStore
from pipeline.types import FrameEmbeddings, Share, VideoRecord

__all__ = ["JointStore", "StoreView"]


@dataclass(frozen=True)
class JointStore:
    """An `EmbeddingStore` that writes the frames of each sampling to that sampling's own store.

    It contains the videos that all stores contain.

    Attributes:
        stores: One store per sampling, in the order of the shares.
        others: Other stores with embeddings of the same encoder, which are copied from instead of encoding a frame
            again.
    """

    stores: tuple[EmbeddingStore, ...]
    others: tuple[EmbeddingStore, ...] = ()

    def write(self, record: VideoRecord, frames: FrameEmbeddings) -> None:
        """Write a video to all stores, or update the record of a video that was read from here.

        Raises:
            ValueError: The number of shares differs from the number of stores.
            StoreError: A store cannot be written, or a frame's embedding is missing in all stores.
        """
        if not frames.shares and self._is_held(frames):
            for store in self.stores:
                own = store.read(frames.video_id)
                store.write(replace(record, frame_count=len(own)), own)
            return
        if len(frames.shares) != len(self.stores):
            raise ValueError(f"{frames.video_id}: {len(frames.shares)} shares for {len(self.stores)} stores")
        vectors = _Vectors(frames, (*self.others, *self.stores))
        for store, share in zip(self.stores, frames.shares, strict=True):
            part = _part(frames, share, vectors)
            store.write(replace(record, frame_count=len(part)), part)

    def _is_held(self, frames: FrameEmbeddings) -> bool:
        """Whether these are the frames of the first sampling, unchanged since they were read."""
        video_id = frames.video_id
        return self.record(video_id) is not None and np.array_equal(self.read(video_id).vectors, frames.vectors)

    def read(self, video_id: str) -> FrameEmbeddings:
        """Read a video's frame embeddings of the first sampling.

        Raises:
            StoreError: There is no such video, or its file is broken.
        """
        return self.stores[0].read(video_id)

    def record(self, video_id: str) -> VideoRecord | None:
        """Return a video's record; None unless all stores contain the video."""
        records = [store.record(video_id) for store in self.stores]
        return None if None in records else records[0]

    def records(self) -> Iterator[VideoRecord]:
        """Iterate over the records of the videos that all stores contain, ordered by video id."""
        return (record for record in self.stores[0].records() if self.record(record.video_id) is not None)

    def add_name(self, video_id: str, name: str) -> VideoRecord:
        """Add a name of the same content in all stores."""
        records = [store.add_name(video_id, name) for store in self.stores]
        return records[0]

    def take_name(self, video_id: str, name: str) -> tuple[str, ...]:
        """Assign a name to one video only, in all stores; return the ids of the videos that lost it in any."""
        return tuple(sorted({other for store in self.stores for other in store.take_name(video_id, name)}))

    def delete(self, video_id: str) -> bool:
        """Delete a video from all stores; return whether one of them contained it."""
        deleted = [store.delete(video_id) for store in self.stores]
        return any(deleted)

    def frame_sample(self, rows: int) -> FrameSample:
        """Draw a frame sample from the first store."""
        return self.stores[0].frame_sample(rows)


class _Vectors:
    """Embeddings of one video's frames by timestamp; other stores are read only if a frame is missing."""

    def __init__(self, frames: FrameEmbeddings, stores: Sequence[EmbeddingStore]) -> None:
        self._video_id = frames.video_id
        self._rows = _by_pts([frames])
        self._none = frames.vectors[:0]
        self._stores = stores

    def of(self, pts: Sequence[int]) -> npt.NDArray[np.float32]:
        """Return the embeddings of frames by timestamp: float32 (M, D)."""
        if not self._rows.keys() >= set(pts) and self._stores:
            held = [store for store in self._stores if store.record(self._video_id) is not None]
            self._rows = {**_by_pts(store.read(self._video_id) for store in held), **self._rows}
            self._stores = ()
        missing = [tick for tick in pts if tick not in self._rows]
        if missing:
            raise StoreError(
                f"{self._video_id}: the embedding of the frame with pts {missing[0]} is missing in all"
                " stores; delete this video's files in all stores and index it again"
            )
        return np.stack([self._rows[tick] for tick in pts]) if pts else self._none


def _by_pts(parts: Iterable[FrameEmbeddings]) -> dict[int, npt.NDArray[np.float32]]:
    return {tick: row for part in parts for tick, row in zip(part.pts.tolist(), part.vectors, strict=True)}


def _part(frames: FrameEmbeddings, share: Share, vectors: _Vectors) -> FrameEmbeddings:
    return FrameEmbeddings(
        video_id=frames.video_id,
        pts=share.pts,
        time_base=frames.time_base,
        times_seconds=share.times_seconds,
        vectors=vectors.of(share.pts.tolist()),
        cuts_seconds=share.cuts_seconds,
        duration_seconds=frames.duration_seconds,
        seen_until_seconds=share.seen_until_seconds,
        step_seconds=share.step_seconds,
    )


@dataclass(frozen=True)
class StoreView:
    """A `ReadableStore`: a view of a store, limited to selected videos with other names.

    Attributes:
        store: The store that contains the videos.
        names: The names of the selected videos, by id.
    """

    store: ParquetStore
    names: Mapping[str, tuple[str, ...]]

    def read(self, video_id: str) -> FrameEmbeddings:
        """Read a video's frame embeddings.

        Raises:
            StoreError: The video is not selected, or its file is broken.
        """
        if video_id not in self.names:
            raise StoreError(f"{video_id}: is not among the {len(self.names)} selected videos")
        return self.store.read(video_id)

    def record(self, video_id: str) -> VideoRecord | None:
        """Return a video's record with its name; None if the video is not selected or not stored."""
        record = self.store.record(video_id) if video_id in self.names else None
        return None if record is None else replace(record, names=self.names[video_id])

    def records(self) -> Iterator[VideoRecord]:
        """Iterate over all records, ordered by video id."""
        return (record for video_id in sorted(self.names) if (record := self.record(video_id)) is not None)

    def frame_sample(self, rows: int) -> FrameSample:
        """Draw a new sample of frame embeddings; `rows` is the current size of the index."""
        return draw_sample(self.names, self.store.some_vectors, rows)
