"""Queues batches of frames, and dispatches them to encoder actors."""

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
        source: What was asked for.
        identity: What its content is, and when that was so.
        tries_left: How often it may be begun again where Ray loses something of it.
        number: Its number in the batch's progress.
        node_id: Where it is read, once that has begun.
        batches_read: How many batches its reader gave.
        gathered: The embeddings that have come without a gap.
        end: What is known once all of it is read.
        is_over: It has failed or was begun again, so what still comes of this try is of no use.
    """

    source: Source
    identity: Identity
    tries_left: int
    number: int = 0
    node_id: str | None = None
    batches_read: int = 0
    gathered: EmbeddingBuffer = field(default_factory=EmbeddingBuffer)
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
        """Whether the embeddings of all batches that were read have come."""
        return self.gathered.batches == self.batches_read

    def misses(self, item: BatchTimes | VideoEnd) -> str | None:
        """What was lost before this, if anything was: a reader that died must have been followed up without a gap."""
        number = item.number if isinstance(item, BatchTimes) else item.batches
        if number == self.batches_read:
            return None
        return f"its reader died, and the next one went on at batch {number} after {self.batches_read}"

    def take_read(self, times: BatchTimes, pixels: Any) -> PendingBatch:
        """Add the times of the next batch, and return it as a batch to be encoded."""
        batch = PendingBatch(self, self.batches_read, pixels, len(times), self.node_id)
        self._times[self.batches_read] = times
        self.batches_read += 1
        return batch

    def take_encoded(self, number: int, vectors: Vectors) -> None:
        """Take a batch's embeddings; those whose turn it is are copied out of Ray's shared memory."""
        self._vectors[number] = vectors
        while (following := self.gathered.batches) in self._vectors:
            self.gathered.add(self._times.pop(following), self._vectors.pop(following))


@dataclass(eq=False)
class PendingBatch:
    """A batch of a video's frames that waits for an encoder, or is being encoded.

    Attributes:
        video: Whose.
        number: Which batch of the video.
        pixels: Reference of the frames.
        frames: How many there are.
        node_id: Where they lie.
        deaths: How often an encoder died, or its device broke, in a call that it was part of.
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

    An encoder takes the frames of its own node and of nodes that have none. Only one that has nothing to do takes those
    of a node whose encoder is busy, and leaves that its next call: what is taken goes over the network.

    Args:
        encoders: Who gets them.
        batch_frames: Most frames of a call, which may be of several videos.
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
        """Whether there is less than a call for each encoder, so that more is to be asked of the readers."""
        return self.frames < self._batch_frames * self._encoders.open_count

    def add(self, batch: PendingBatch) -> None:
        """Append a batch to the queue."""
        self._batches.append(batch)

    def drop(self, is_unwanted: Callable[[PendingBatch], bool]) -> None:
        """Remove the unwanted batches from the queue."""
        self._batches = deque(batch for batch in self._batches if not is_unwanted(batch))

    def hand_out(self) -> None:
        """Make all calls that are due; one that isn't full is made only to an encoder without work."""
        while self._batches and any(self._hand_to(actor) for actor in self._encoders.takers()):
            pass

    def _hand_to(self, actor: EncoderActor) -> bool:
        batches = self._call_for(actor)
        if not batches:
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
        if not batches or not actor.takes(alone=batches[0].alone):
            return []
        return batches if is_full or frames >= self._batch_frames or actor.calls == 0 else []

    def _sides(self, actor: EncoderActor) -> tuple[list[PendingBatch], list[PendingBatch]]:
        """Select the batches meant for this encoder, and those that it may take over from others.

        The next call of each other encoder is left to it: it has that as soon as it is done with one.
        """
        own: list[PendingBatch] = []
        others: list[PendingBatch] = []
        nodes = self._encoders.nodes - {actor.node_id}
        left = Counter[str | None]()
        for batch in self._batches:
            if batch.node_id not in nodes:
                own.append(batch)
            elif left[batch.node_id] < self._batch_frames:
                left[batch.node_id] += batch.frames
            else:
                others.append(batch)
        return own, others
