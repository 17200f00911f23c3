"""The pool of readers, against a Ray that answers what a test says, at times that a test says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from contracts.executor_contract import settings
from contracts.fake_videos import EveryFrame, FakeDecoder, FakePreprocessing
from ray.exceptions import (
    NodeDiedError,
    OutOfMemoryError,
    RayError,
    RaySystemError,
    RayTaskError,
    WorkerCrashedError,
)

from pipeline.errors import ExecutionError, VideoReadError
from pipeline.execution.per_video.frame_batches import Reading
from pipeline.execution.per_video.messages import BatchTimes, Failure, Heartbeat, Lost
from pipeline.execution.ray import reader_pool as ray_readers
from pipeline.execution.ray.cluster import Shares
from pipeline.execution.ray.reader_pool import ReaderPool
from pipeline.execution.ray.remote_tasks import Started
from pipeline.types import Source
from pipeline.video import Identity

# A batch of four pictures of 8 x 8.
BATCH_BYTES = 4 * 8 * 8 * 3
PATIENCE_SECONDS = 300.0


@dataclass(eq=False)
class FakeVideo:
    name: str = "a.mp4"

    @property
    def source(self) -> Source:
        return Source(f"/videos/{self.name}")

    @property
    def identity(self) -> Identity:
        return Identity("0" * 16, f"state of {self.name}")


@dataclass(eq=False)
class FakeGenerator:
    """What a streaming task returns: a test says what comes next; an error is raised by `next` or by `get`."""

    arguments: tuple[Any, ...]
    coming: list[Any] = field(default_factory=list)

    def __iter__(self) -> FakeGenerator:
        return self

    def __next__(self) -> Any:
        if not self.coming:
            raise StopIteration
        following = self.coming.pop(0)
        if isinstance(following, RayError):
            raise following
        return following


@dataclass
class Broken:
    """A reference whose object is an error."""

    error: RayError


class FakeRay:
    def __init__(self) -> None:
        self.options_given: list[dict[str, Any]] = []
        self.ended: list[tuple[Any, bool]] = []
        self.puts: list[Any] = []

    def remote(self, function: object) -> FakeRay:
        return self

    def put(self, what: Any) -> Any:
        self.puts.append(what)
        return ("put", len(self.puts))

    def options(self, **options: Any) -> Any:
        self.options_given.append(options)
        return _Task()

    def get(self, reference: Any) -> Any:
        if isinstance(reference, Broken):
            raise reference.error
        return reference

    def cancel(self, reference: Any, *, force: bool = False) -> None:
        self.ended.append((reference, force))


class _Task:
    def remote(self, *arguments: Any) -> FakeGenerator:
        return FakeGenerator(arguments)


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


SHARES = Shares(encoders=1, encoder_cpus=1, encoder_gpus=0, readers=3, reader_cpus=0.5)


@pytest.fixture
def fake_ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    ray = FakeRay()
    monkeypatch.setattr(ray_readers, "ray", ray)
    return ray


@pytest.fixture
def clock() -> Clock:
    return Clock()


MakePool = Callable[..., ReaderPool[FakeVideo]]


@pytest.fixture
def make_pool(fake_ray: FakeRay, clock: Clock) -> MakePool:
    def make(reader_bytes: float = 1e9, **changes: Any) -> ReaderPool[FakeVideo]:
        chosen = settings(**{"stall_seconds": PATIENCE_SECONDS, "batch_frames": 4, **changes})
        pool: ReaderPool[FakeVideo] = ReaderPool(chosen, replace(SHARES, reader_bytes=reader_bytes), clock=clock)
        pool.prepare(
            Reading(
                decoder=FakeDecoder(),
                sampler=EveryFrame(),
                preprocessing=FakePreprocessing(),
                batch_frames=chosen.batch_frames,
            )
        )
        return pool

    return make


@pytest.fixture
def pool(make_pool: MakePool) -> ReaderPool[FakeVideo]:
    return make_pool()


def submitted(pool: ReaderPool[FakeVideo], name: str = "a.mp4") -> tuple[FakeVideo, FakeGenerator]:
    video = FakeVideo(name)
    pool.submit(video)
    return video, pool.pending_references[-1]


def collected(pool: ReaderPool[FakeVideo], reference: FakeGenerator, *coming: Any) -> Any:
    """What the pool makes of the next objects of a reader, the last one's result."""
    reference.coming += coming
    result = None
    for _ in coming or (None,):
        result = pool.collect(reference)
    return result


def times(number: int = 0) -> BatchTimes:
    return BatchTimes(
        number=number,
        pts=np.arange(4),
        times_seconds=np.arange(4) / 2,
        decoded_seconds=2.0,
        duration_seconds=10.0,
    )


def ended(pool: ReaderPool[FakeVideo], *, is_listening: bool = True) -> list[str]:
    return [video.name for video in pool.stalled(is_listening=is_listening)]


@pytest.mark.parametrize("retries", [0, 1, 2, 5])
def test_a_reader_is_tried_again_as_often_as_the_settings_say(
    make_pool: MakePool, fake_ray: FakeRay, retries: int
) -> None:
    submitted(make_pool(retries=retries))
    [options] = fake_ray.options_given
    assert options["max_retries"] == retries


def test_a_reader_is_given_the_place_and_the_state_of_its_video(pool: ReaderPool[FakeVideo], fake_ray: FakeRay) -> None:
    _, first = submitted(pool, "a.mp4")
    _, second = submitted(pool, "b.mp4")
    assert first.arguments == (("put", 1), "/videos/a.mp4", "state of a.mp4")
    assert second.arguments == (("put", 1), "/videos/b.mp4", "state of b.mp4")
    assert len(fake_ray.puts) == 1
    assert {(each["num_cpus"], each["num_returns"]) for each in fake_ray.options_given} == {(0.5, "streaming")}


@pytest.mark.parametrize(
    ("batches_ahead", "batches_fitting", "objects"),
    [
        # A batch is two objects: its pixels and its times.
        (2, 100.0, 4),
        (5, 100.0, 10),
        (5, 3.0, 6),
        (5, 2.9, 4),
        (5, 1.0, 2),
        # Below one batch a reader could never give any.
        (5, 0.5, 2),
        (1, 0.0, 2),
    ],
)
def test_a_reader_is_no_further_ahead_than_its_share_of_the_object_store(
    make_pool: MakePool, fake_ray: FakeRay, batches_ahead: int, batches_fitting: float, objects: int
) -> None:
    submitted(make_pool(reader_bytes=batches_fitting * BATCH_BYTES, batches_ahead=batches_ahead))
    [options] = fake_ray.options_given
    assert options["_generator_backpressure_num_objects"] == objects


def test_to_prepare_twice_changes_nothing(pool: ReaderPool[FakeVideo], fake_ray: FakeRay) -> None:
    before = fake_ray.puts[0]
    pool.prepare(replace(before, batch_frames=1000))
    submitted(pool)
    assert fake_ray.puts == [before]
    assert fake_ray.options_given[0]["_generator_backpressure_num_objects"] == 4


def test_pixels_come_with_what_is_known_of_them(pool: ReaderPool[FakeVideo]) -> None:
    video, reader = submitted(pool)
    assert collected(pool, reader, "empty") is None
    assert collected(pool, reader, Started("node")) == (video, "empty", Started("node"))
    for number in range(2):
        assert collected(pool, reader, f"pixels {number}") is None
        item = times(number)
        assert collected(pool, reader, item) == (video, f"pixels {number}", item)
    assert reader in pool
    failure = Failure("broken")
    assert collected(pool, reader, "none", failure) == (video, "none", failure)
    assert reader not in pool
    assert len(pool) == 0


def test_room_is_for_as_many_as_the_cluster_holds(pool: ReaderPool[FakeVideo]) -> None:
    for number in range(3):
        assert pool.has_room
        submitted(pool, f"{number}.mp4")
    assert not pool.has_room
    collected(pool, pool.pending_references[0], "none", Failure("broken"))
    assert pool.has_room


def test_patience_with_a_silent_reader_ends(pool: ReaderPool[FakeVideo], clock: Clock, fake_ray: FakeRay) -> None:
    _, reader = submitted(pool)
    collected(pool, reader, "empty")
    clock.pass_by(PATIENCE_SECONDS)
    assert ended(pool) == []
    clock.pass_by(0.5)
    assert ended(pool) == ["a.mp4"]
    # Its decoder hangs and hears no request.
    assert fake_ray.ended == [(reader, True)]
    assert reader not in pool
    assert ended(pool) == []


def test_every_sign_of_life_begins_the_wait_anew(pool: ReaderPool[FakeVideo], clock: Clock) -> None:
    _, reader = submitted(pool)
    for coming in ("empty", Started("node"), "none", Heartbeat(), "pixels", times()):
        clock.pass_by(0.9 * PATIENCE_SECONDS)
        assert ended(pool) == []
        collected(pool, reader, coming)
    clock.pass_by(1.1 * PATIENCE_SECONDS)
    assert ended(pool) == ["a.mp4"]


def test_one_that_waits_for_a_processor_is_not_blamed(pool: ReaderPool[FakeVideo], clock: Clock) -> None:
    submitted(pool)
    clock.pass_by(100 * PATIENCE_SECONDS)
    assert ended(pool) == []


def test_a_reader_may_say_that_it_will_be_silent_for_longer(pool: ReaderPool[FakeVideo], clock: Clock) -> None:
    _, reader = submitted(pool)
    assert collected(pool, reader, "none", Heartbeat(silence_seconds=50.0)) is None
    clock.pass_by(PATIENCE_SECONDS + 49)
    assert ended(pool) == []
    clock.pass_by(2)
    assert ended(pool) == ["a.mp4"]


@pytest.mark.parametrize("following", [Heartbeat(), times(), Started("node")])
def test_what_it_asked_for_is_over_with_its_next_sign(
    pool: ReaderPool[FakeVideo], clock: Clock, following: object
) -> None:
    _, reader = submitted(pool)
    collected(pool, reader, "none", Heartbeat(silence_seconds=1e9))
    collected(pool, reader, "pixels", following)
    clock.pass_by(PATIENCE_SECONDS + 1)
    assert ended(pool) == ["a.mp4"]


def test_nobody_is_blamed_for_what_the_driver_did_not_take(pool: ReaderPool[FakeVideo], clock: Clock) -> None:
    _, reader = submitted(pool)
    collected(pool, reader, "empty")
    for _ in range(5):
        clock.pass_by(0.9 * PATIENCE_SECONDS)
        assert ended(pool, is_listening=False) == []
    clock.pass_by(0.9 * PATIENCE_SECONDS)
    assert ended(pool, is_listening=True) == []
    clock.pass_by(0.2 * PATIENCE_SECONDS)
    assert ended(pool, is_listening=True) == ["a.mp4"]


def test_to_be_left_alone_is_no_sign_of_life_of_one_that_has_not_begun(
    pool: ReaderPool[FakeVideo], clock: Clock
) -> None:
    submitted(pool)
    ended(pool, is_listening=False)
    clock.pass_by(2 * PATIENCE_SECONDS)
    assert ended(pool) == []


def test_only_the_silent_one_of_several_is_ended(pool: ReaderPool[FakeVideo], clock: Clock, fake_ray: FakeRay) -> None:
    readers = [submitted(pool, f"{number}.mp4")[1] for number in range(3)]
    for reader in readers[:2]:
        collected(pool, reader, "empty")
    clock.pass_by(0.9 * PATIENCE_SECONDS)
    collected(pool, readers[0], Started("node"))
    clock.pass_by(0.2 * PATIENCE_SECONDS)
    assert ended(pool) == ["1.mp4"]
    assert pool.pending_references == [readers[0], readers[2]]
    assert fake_ray.ended == [(readers[1], True)]


def test_where_the_cluster_shrinks_the_youngest_readers_end(pool: ReaderPool[FakeVideo], fake_ray: FakeRay) -> None:
    readers = [submitted(pool, f"{number}.mp4")[1] for number in range(3)]
    assert pool.resize(replace(SHARES, readers=3)) == []
    assert [video.name for video in pool.resize(replace(SHARES, readers=1))] == ["1.mp4", "2.mp4"]
    assert fake_ray.ended == [(readers[1], True), (readers[2], True)]
    assert pool.pending_references == [readers[0]]
    assert not pool.has_room
    assert pool.resize(replace(SHARES, readers=2)) == []
    assert pool.has_room


def test_to_cancel_ends_the_readers_of_that_video_alone(pool: ReaderPool[FakeVideo], fake_ray: FakeRay) -> None:
    video, first = submitted(pool, "a.mp4")
    _, other = submitted(pool, "a.mp4")
    pool.cancel(video)
    assert fake_ray.ended == [(first, True)]
    assert pool.pending_references == [other]
    pool.close()
    assert fake_ray.ended == [(first, True), (other, True)]
    assert len(pool) == 0


def errors() -> list[tuple[RayError, Failure]]:
    died = "the process that read it died 3 times; the file crashes the decoder, or memory ran out"
    cause = VideoReadError("/videos/a.mp4", "its server is silent")
    return [
        (OutOfMemoryError("killed"), Failure("out of memory: Ray stopped the process that read it 3 times")),
        (WorkerCrashedError(), Failure(died)),
        (RayTaskError("read_video", "traceback", cause), Failure("its server is silent", is_path_specific=True)),
    ]


@pytest.mark.parametrize(("error", "expected"), errors())
@pytest.mark.parametrize("comes_from", ["next", "pixels", "times", "the end after pixels"])
def test_what_ends_a_reader_is_said_with_the_number_of_tries(
    make_pool: MakePool, error: RayError, expected: Failure, comes_from: str
) -> None:
    pool = make_pool(retries=2)
    video, reader = submitted(pool)
    collected(pool, reader, "none", Started("node"))
    coming: dict[str, list[Any]] = {
        "next": [error],
        "pixels": ["pixels", error],
        "times": ["pixels", Broken(error)],
        "the end after pixels": [Broken(error), StopIteration],
    }
    reader.coming += [each for each in coming[comes_from] if each is not StopIteration]
    for _ in coming[comes_from]:
        found = pool.collect(reader)
    assert found is not None
    assert (found[0], found[2]) == (video, expected)
    assert reader not in pool


def test_a_reader_that_ends_without_a_word_is_lost_and_not_at_fault(pool: ReaderPool[FakeVideo]) -> None:
    video, reader = submitted(pool)
    assert collected(pool, reader) == (video, None, Lost("its reader ended too early, without an error"))
    assert reader not in pool


def test_a_node_that_left_is_bad_luck(pool: ReaderPool[FakeVideo]) -> None:
    _, reader = submitted(pool)
    _, _, item = collected(pool, reader, NodeDiedError("a node left"))
    assert isinstance(item, Lost)
    assert item.problem.startswith("Ray lost it (NodeDiedError: ")


def test_a_ray_that_is_gone_ends_the_batch(pool: ReaderPool[FakeVideo]) -> None:
    _, reader = submitted(pool)
    with pytest.raises(ExecutionError, match=r"Ray failed while working on '/videos/a.mp4': .*no more"):
        collected(pool, reader, RaySystemError(RuntimeError("no more")))
