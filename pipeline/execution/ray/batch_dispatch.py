"""Queue batches of frames, and dispatch them to encoder actors."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from pipeline.execution.per_video.embedding_buffer import EmbeddingBuffer
from pipeline.execution.per_video.messages import BatchTimes, Vectors, VideoEnd
from pipeline.execution.ray.encoder_actors import EncoderActor
from pipeline.execution.ray.encoder_pool import EncoderPool
from pipeline.types import Source
from pipeline.video import Identity

__all__ = ["BatchQueue", "PendingBatch", "RayVideo"]


@dataclass(eq=False)
class RayVideo:
    """One attempt to index a video; its batches can return from the encoders in any order.

    Attributes:
        source: The source as given.
        identity: Id and state of its content.
        tries_left: How often the video may be restarted after Ray loses part of the work.
        number: Number of the video in the batch's progress.
        node_id: The node that reads the video, once that has begun.
        batches_read: Number of batches that the reader has returned.
        embeddings: The embeddings that have arrived without a gap.
        end: The end of the video, once it is read completely.
        is_over: The attempt has failed or was restarted; its remaining results are ignored.
    """

    source: Source
    identity: Identity
    tries_left: int
    number: int = 0
    node_id: str | None = None
    batches_read: int = 0
    embeddings: EmbeddingBuffer = field(default_factory=EmbeddingBuffer)
    end: VideoEnd | None = None
    is_over: bool = False
    _times: dict[int, BatchTimes] = field(default_factory=dict)
    _vectors: dict[int, Vectors] = field(default_factory=dict)

    @property
    def video_id(self) -> str:
        """The video's id, from its content."""
        return self.identity.video_id

    @property
    def is_encoded(self) -> bool:
        """Whether the embeddings of all batches that were read have arrived."""
        return self.embeddings.batches == self.batches_read

    def gap_before(self, item: BatchTimes | VideoEnd) -> str | None:
        """Describe what is missing before an item, if anything is: the successor of a dead reader must continue it."""
        number = item.number if isinstance(item, BatchTimes) else item.batches
        if number == self.batches_read:
            return None
        return f"its reader died, and the next one continued at batch {number} instead of {self.batches_read}"

    def add_read(self, times: BatchTimes, pixels: Any) -> PendingBatch:
        """Add the times of the next batch, and return the batch to be encoded."""
        batch = PendingBatch(self, self.batches_read, pixels, len(times), self.node_id)
        self._times[self.batches_read] = times
        self.batches_read += 1
        return batch

    def add_encoded(self, number: int, vectors: Vectors) -> None:
        """Add a batch's embeddings; those next in order are copied out of Ray's shared memory."""
        self._vectors[number] = vectors
        while (following := self.embeddings.batches) in self._vectors:
            self.embeddings.add(self._times.pop(following), self._vectors.pop(following))


@dataclass(eq=False)
class PendingBatch:
    """A batch of a video's frames that waits for an encoder, or is being encoded.

    Attributes:
        video: The video.
        number: Number of the batch within the video.
        pixels: Reference of the frames.
        frames: Number of frames.
        node_id: The node that holds the frames.
        deaths: How often an encoder died, or its device broke, in a call with this batch.
    """

    video: RayVideo
    number: int
    pixels: Any
    frames: int
    node_id: str | None = None
    deaths: int = 0

    @property
    def alone(self) -> bool:
        """Whether it must not share a call with other videos."""
        return self.deaths > 0


class BatchQueue:
    """Dispatches batches to encoders, oldest first, and preferably on the node that holds their frames.

    An encoder takes the frames of its own node and of nodes without an encoder. An idle encoder also takes frames of
    another node whose encoder is busy, but leaves that encoder its next call, since such frames cross the network.

    Args:
        encoders: The encoders.
        batch_frames: Maximum number of frames in a call, which may combine several videos.
    """

    def __init__(self, encoders: EncoderPool[PendingBatch], batch_frames: int) -> None:
        self._encoders = encoders
        self._batch_frames = batch_frames
        self._batches: deque[PendingBatch] = deque()

    @property
    def frames(self) -> int:
        """Number of frames in the queue."""
        return sum(batch.frames for batch in self._batches)

    @property
    def is_short(self) -> bool:
        """Whether the queue holds less than one call for each encoder, so that readers should deliver more."""
        return self.frames < self._batch_frames * self._encoders.open_count

    def add(self, batch: PendingBatch) -> None:
        """Append a batch to the queue."""
        self._batches.append(batch)

    def drop(self, is_unwanted: Callable[[PendingBatch], bool]) -> None:
        """Remove the unwanted batches from the queue."""
        self._batches = deque(batch for batch in self._batches if not is_unwanted(batch))

    def dispatch(self) -> None:
        """Make all calls that are due; a call that is not full is only made to an idle encoder."""
        while self._batches and any(self._dispatch_to(actor) for actor in self._encoders.available()):
            pass

    def _dispatch_to(self, actor: EncoderActor) -> bool:
        batches = self._call_for(actor)
        if not batches:
            return False
            return False
        chosen = set(map(id, batches))
        self.drop(lambda batch: id(batch) in chosen)
        self._encoders.submit(batches, actor)
        return True

    def _call_for(self, actor: EncoderActor) -> list[PendingBatch]:
        own, others = self._sides(actor)
        waiting: Iterator[PendingBatch] = iter(own) if own or actor.calls else chain(own, others)
        batches: list[PendingBatch] = []
        frames = 0
        is_full = False
        for batch in waiting:
            if batches and (batch.alone or batches[0].alone or frames + batch.frames > self._batch_frames):
                is_full = True
                break
            batches.append(batch)
            frames += batch.frames
        if not batches or not actor.accepts(alone=batches[0].alone):
            return []
        return batches if is_full or frames >= self._batch_frames or actor.calls == 0 else []

    def _sides(self, actor: EncoderActor) -> tuple[list[PendingBatch], list[PendingBatch]]:
        """Select the batches meant for this encoder, and those that it may take over from others.

        The next call of every other encoder is left to it, so that it has work as soon as it finishes one.
        """
        own: list[PendingBatch] = []
        others: list[PendingBatch] = []
        nodes = self._encoders.nodes - {actor.node_id}
        reserved = Counter[str | None]()
        for batch in self._batches:
            if batch.node_id not in nodes:
                own.append(batch)
            elif reserved[batch.node_id] < self._batch_frames:
                reserved[batch.node_id] += batch.frames
            else:
                others.append(batch)
        return own, others
