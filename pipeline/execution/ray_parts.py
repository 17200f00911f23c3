"""Batches of frames that wait for an encoder, and which of them goes where."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from itertools import chain

from pipeline.execution.ray_encoders import EncoderPool
from pipeline.execution.ray_members import Member
from pipeline.execution.ray_videos import RayPart

__all__ = ["WaitingParts"]


class WaitingParts:
    """Hands batches to encoders, oldest first, and where that can be to one on the node where their frames lie.

    An encoder takes the frames of its own node and of nodes that have none. Only one that has nothing to do takes those
    of a node whose encoder is busy, and leaves that its next call: what is taken goes over the network.

    Args:
        encoders: Who gets them.
        batch_frames: Most frames of a call, which may be of several videos.
    """

    def __init__(self, encoders: EncoderPool[RayPart], batch_frames: int) -> None:
        self._encoders = encoders
        self._batch_frames = batch_frames
        self._parts: deque[RayPart] = deque()

    @property
    def frames(self) -> int:
        """How many wait."""
        return sum(part.frames for part in self._parts)

    @property
    def is_short(self) -> bool:
        """Whether there is less than a call for each encoder, so that more is to be asked of the readers."""
        return self.frames < self._batch_frames * self._encoders.open_count

    def add(self, part: RayPart) -> None:
        """One more, the last in the queue."""
        self._parts.append(part)

    def drop(self, is_unwanted: Callable[[RayPart], bool]) -> None:
        """Forget some."""
        self._parts = deque(part for part in self._parts if not is_unwanted(part))

    def hand_out(self) -> None:
        """Make all calls that are due; one that isn't full is made only to an encoder without work."""
        while self._parts and any(self._hand_to(member) for member in self._encoders.takers()):
            pass

    def _hand_to(self, member: Member) -> bool:
        parts = self._call_for(member)
        if not parts:
            return False
        chosen = set(map(id, parts))
        self.drop(lambda part: id(part) in chosen)
        self._encoders.submit(parts, member)
        return True

    def _call_for(self, member: Member) -> list[RayPart]:
        own, others = self._sides(member)
        waiting: Iterator[RayPart] = iter(own) if own or member.calls else chain(own, others)
        parts: list[RayPart] = []
        frames = 0
        is_full = False
        for part in waiting:
            if parts and (part.alone or parts[0].alone or frames + part.frames > self._batch_frames):
                is_full = True
                break
            parts.append(part)
            frames += part.frames
        if not parts or not member.takes(alone=parts[0].alone):
            return []
        return parts if is_full or frames >= self._batch_frames or member.calls == 0 else []

    def _sides(self, member: Member) -> tuple[list[RayPart], list[RayPart]]:
        """The parts that this encoder is the right one for, and those that it may take off others.

        The next call of each other encoder is left to it: it has that as soon as it is done with one.
        """
        own: list[RayPart] = []
        others: list[RayPart] = []
        nodes = self._encoders.nodes - {member.node_id}
        left = Counter[str | None]()
        for part in self._parts:
            if part.node_id not in nodes:
                own.append(part)
            elif left[part.node_id] < self._batch_frames:
                left[part.node_id] += part.frames
            else:
                others.append(part)
        return own, others
