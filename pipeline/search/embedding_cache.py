"""Cache of recently read frame embeddings, within a memory budget."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

from pipeline.errors import StoreError
from pipeline.store.loading import IsWanted, Loaded, LoadedVideo, load_videos
from pipeline.store.protocol import ReadableStore
from pipeline.types import FrameEmbeddings, VideoRecord

__all__ = ["EmbeddingCache"]


class EmbeddingCache:
    """Reads frame embeddings from a store and caches the most recently used; the newest is cached whatever its size.

    Args:
        store: The store.
        budget_bytes: Maximum total size of the cached vectors.
        dimension: Length of the encoder's embeddings; embeddings of another length are rejected. None for no check.
    """

    def __init__(self, store: ReadableStore, budget_bytes: int, dimension: int | None = None) -> None:
        self._store = store
        self._dimension = dimension
        self._budget_bytes = budget_bytes
        self._cache: OrderedDict[str, tuple[VideoRecord, FrameEmbeddings]] = OrderedDict()
        self._size_bytes = 0

    def get(self, video_id: str) -> tuple[VideoRecord, FrameEmbeddings] | None:
        """Read a video's record and frame embeddings; None if the video is not in the store.

        Raises:
            StoreError: The video's file is broken.
        """
        record = self.record(video_id)
        return None if record is None else (record, self.read(record))

    def record(self, video_id: str) -> VideoRecord | None:
        """Read a video's record, without its frame embeddings; None if the video is not in the store.

        Raises:
            StoreError: The record is broken.
        """
        cached = self._cache.get(video_id)
        return self._store.record(video_id) if cached is None else cached[0]

    def read(self, record: VideoRecord) -> FrameEmbeddings:
        """Read the frame embeddings of a record's video.

        Raises:
            StoreError: The file is broken, or its embeddings were made by another encoder.
        """
        video_id = record.video_id
        if video_id in self._cache:
            self._cache.move_to_end(video_id)
            return self._cache[video_id][1]
        return self._add(record, self._store.read(video_id))

    def load(self, video_ids: Sequence[str], is_wanted: IsWanted) -> Iterator[Loaded]:
        """Read records and frame embeddings, in the order of the ids. What is not cached is read in parallel.

        Args:
            video_ids: Distinct ids of videos.
            is_wanted: Whether the embeddings of a record's video are to be read, too; may be called in several threads.

        Yields:
            For each id the video; None if it is not in the store; the error if its file is broken, or its embeddings
            were made by another encoder.
        """
        missing = {video_id: None for video_id in video_ids if video_id not in self._cache}
        read = load_videos(self._store, missing, is_wanted)
        for video_id in video_ids:
            if video_id in missing:
                yield self._added(next(read))
            elif video_id in self._cache:
                self._cache.move_to_end(video_id)
                yield LoadedVideo(*self._cache[video_id])
            else:
                # It was evicted meanwhile.
                yield self._added(next(load_videos(self._store, [video_id], is_wanted)))

    def _added(self, loaded: Loaded) -> Loaded:
        if isinstance(loaded, LoadedVideo) and loaded.frames is not None:
            try:
                self._add(loaded.record, loaded.frames)
            except StoreError as error:
                return error
        return loaded

    def _add(self, record: VideoRecord, frames: FrameEmbeddings) -> FrameEmbeddings:
        """Check the embeddings of a video and cache them."""
        video_id = record.video_id
        length = frames.vectors.shape[1]
        if len(frames) and self._dimension not in (None, length):
            raise StoreError(
                f"{video_id}: its embeddings have {length} dimensions, but this encoder's have {self._dimension};"
                f" remove the video (momentseek remove {video_id}) and index it again"
            )
        self._cache[video_id] = record, frames
        self._size_bytes += frames.vectors.nbytes
        while self._size_bytes > self._budget_bytes and len(self._cache) > 1:
            _, (_, evicted) = self._cache.popitem(last=False)
            self._size_bytes -= evicted.vectors.nbytes
        return frames
