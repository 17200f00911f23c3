"""What the driver of a batch on Ray knows of a video while it is read and encoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.execution.gathering import GatheredEmbeddings
from pipeline.execution.video_work import BatchTimes, Vectors, VideoEnd
from pipeline.types import Source
from pipeline.video import Identity

__all__ = ["RayPart", "RayVideo"]


@dataclass(eq=False)
class RayVideo:
    """A try to index a video; its batches can come back from the encoders in another order.

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
    gathered: GatheredEmbeddings = field(default_factory=GatheredEmbeddings)
    end: VideoEnd | None = None
    is_over: bool = False
    _times: dict[int, BatchTimes] = field(default_factory=dict)
    _vectors: dict[int, Vectors] = field(default_factory=dict)

    @property
    def video_id(self) -> str:
        """From its content."""
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

    def take_read(self, times: BatchTimes, pixels: Any) -> RayPart:
        """Take the times of the next batch, and make of it what an encoder gets."""
        part = RayPart(self, self.batches_read, pixels, len(times), self.node_id)
        self._times[self.batches_read] = times
        self.batches_read += 1
        return part

    def take_encoded(self, number: int, vectors: Vectors) -> None:
        """Take a batch's embeddings; those whose turn it is are copied out of Ray's shared memory."""
        self._vectors[number] = vectors
        while (following := self.gathered.batches) in self._vectors:
            self.gathered.add(self._times.pop(following), self._vectors.pop(following))


@dataclass(eq=False)
class RayPart:
    """A batch of a video's frames on its way to an encoder.

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
