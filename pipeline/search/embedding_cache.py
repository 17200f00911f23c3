"""Cache of recently read frame embeddings, within a memory budget."""

from __future__ import annotations

from collections import OrderedDict

from pipeline.errors import StoreError
from pipeline.store.protocol import ReadableStore
from pipeline.types import FrameEmbeddings, VideoRecord

__all__ = ["EmbeddingCache"]


class EmbeddingCache:
    """Reads frame embeddings from a store and caches the most recent; the newest is cached whatever its size.

    Args:
        store: Where they are.
        budget_bytes: Memory that their vectors may take together.
        dimension: Length of the encoder's embeddings; others are refused.
    """

    def __init__(self, store: ReadableStore, budget_bytes: int, dimension: int | None = None) -> None:
        self._store = store
        self._dimension = dimension
        self._budget_bytes = budget_bytes
        self._kept: OrderedDict[str, tuple[VideoRecord, FrameEmbeddings]] = OrderedDict()
        self._size_bytes = 0

    def get(self, video_id: str) -> tuple[VideoRecord, FrameEmbeddings] | None:
        """Read a video's record and frame embeddings; None where the store does not hold it.

        Raises:
            StoreError: Its file is broken.
        """
        record = self.record(video_id)
        return None if record is None else (record, self.read(record))

    def record(self, video_id: str) -> VideoRecord | None:
        """Read a video's record, without its frame embeddings; None where the store does not hold it.

        Raises:
            StoreError: It is broken.
        """
        kept = self._kept.get(video_id)
        return self._store.record(video_id) if kept is None else kept[0]

    def read(self, record: VideoRecord) -> FrameEmbeddings:
        """Read the frame embeddings of a record's video.

        Raises:
            StoreError: Their file is broken, or of another encoder.
        """
        video_id = record.video_id
        if video_id in self._kept:
            self._kept.move_to_end(video_id)
            return self._kept[video_id][1]
        frames = self._store.read(video_id)
        length = frames.vectors.shape[1]
        if len(frames) and self._dimension not in (None, length):
            raise StoreError(
                f"{video_id}: its embeddings have {length} numbers, and this encoder's have {self._dimension}; remove"
                f" the video (momentseek remove {video_id}) and index it again"
            )
        self._kept[video_id] = record, frames
        self._size_bytes += frames.vectors.nbytes
        while self._size_bytes > self._budget_bytes and len(self._kept) > 1:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._size_bytes -= dropped.vectors.nbytes
        return frames
