"""Which batch of frames goes to which encoder; the encoders only note what they are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pipeline.execution.ray.batch_dispatch import BatchQueue, PendingBatch
from pipeline.execution.ray.encoder_actors import EncoderActor


class Pool:
    """An open encoder on each of these nodes."""

    def __init__(self, *nodes: str) -> None:
        self.members = [EncoderActor(handle=None, is_open=True, node_id=node) for node in nodes]
        self.given: list[tuple[str | None, list[int]]] = []
        self.open_count = len(nodes)
        self.nodes = frozenset(nodes)

    def available(self) -> list[EncoderActor]:
        return sorted((each for each in self.members if each.accepts(alone=False)), key=lambda each: each.calls)

    def submit(self, parts: Sequence[PendingBatch], member: EncoderActor) -> None:
        member.calls += 1
        member.is_reserved = parts[0].alone
        self.given.append((member.node_id, [part.number for part in parts]))

    def end(self, node: str) -> None:
        """One of a node's calls ends."""
        [member] = (each for each in self.members if each.node_id == node)
        member.calls -= 1
        member.is_reserved = False


def waiting(pool: Any, *parts: tuple[int, str], frames: int = 4, **fields: Any) -> BatchQueue:
    """Batches by number and node, for calls of four frames."""
    found = BatchQueue(pool, 4)
    for number, node in parts:
        found.add(PendingBatch(None, number, None, frames, node, **fields))  # type: ignore[arg-type]
    return found


def test_frames_go_to_the_encoder_of_their_node():
    pool = Pool("a", "b")
    waiting(pool, (0, "b"), (1, "b"), (2, "a"), (3, "a")).dispatch()
    assert sorted(pool.given) == [("a", [2]), ("a", [3]), ("b", [0]), ("b", [1])]


def test_frames_of_a_node_without_an_encoder_go_to_the_least_busy():
    pool = Pool("a", "b")
    waiting(pool, (0, "c"), (1, "c"), (2, "c")).dispatch()
    assert [node for node, _ in pool.given] == ["a", "b", "a"]


def test_an_idle_encoder_takes_what_a_busy_one_cannot_take_next():
    pool = Pool("a", "b")
    parts = waiting(pool, *((number, "a") for number in range(5)))
    parts.dispatch()
    # What it has, and the next call, are left to the encoder of their node.
    assert sorted(pool.given) == [("a", [0]), ("a", [1]), ("b", [2])]
    assert (parts.frames, parts.is_short) == (8, False)
    pool.end("a")
    parts.dispatch()
    assert pool.given[3:] == [("a", [3])]


def test_short_batches_share_a_call_once_an_encoder_has_nothing_else():
    pool = Pool("a")
    parts = waiting(pool, *((number, "a") for number in range(3)), frames=1)
    parts.dispatch()
    assert pool.given == [("a", [0, 1, 2])]
    parts.add(PendingBatch(None, 3, None, 1, "a"))  # type: ignore[arg-type]
    parts.dispatch()
    assert parts.frames == 1
    pool.end("a")
    parts.dispatch()
    assert pool.given[1:] == [("a", [3])]


def test_a_batch_that_is_to_be_alone_waits_until_an_encoder_is_empty_and_is_not_overtaken():
    pool = Pool("a")
    parts = waiting(pool, (0, "a"))
    parts.dispatch()
    parts.add(PendingBatch(None, 1, None, 1, "a", deaths=1))  # type: ignore[arg-type]
    parts.add(PendingBatch(None, 2, None, 4, "a"))  # type: ignore[arg-type]
    parts.dispatch()
    assert pool.given == [("a", [0])]
    pool.end("a")
    parts.dispatch()
    assert pool.given == [("a", [0]), ("a", [1])]
    pool.end("a")
    parts.dispatch()
    assert pool.given[2:] == [("a", [2])]


@pytest.mark.parametrize(("frames", "is_short"), [(7, True), (8, False)])
def test_readers_are_asked_for_more_until_there_is_a_call_for_each_encoder(frames, is_short):
    assert waiting(Pool("a", "b"), (0, "a"), frames=frames).is_short == is_short


def test_what_is_dropped_is_not_handed_out():
    pool = Pool("a")
    parts = waiting(pool, (0, "a"), (1, "a"))
    parts.drop(lambda part: part.number == 0)
    parts.dispatch()
    assert pool.given == [("a", [1])]
