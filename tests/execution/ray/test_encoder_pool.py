"""The pool of encoders, against a Ray that answers what a test says."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from contracts.fake_videos import FakeEncoder
from ray.exceptions import ActorDiedError, ActorUnavailableError, OutOfMemoryError, RayError

from pipeline.errors import ExecutionError
from pipeline.execution.per_video.messages import Failure
from pipeline.execution.ray import encoder_actors as ray_actors
from pipeline.execution.ray import encoder_pool as ray_encoders
from pipeline.execution.ray.cluster import Shares
from pipeline.execution.ray.encoder_actors import IdleEncoders, line_of
from pipeline.execution.ray.encoder_pool import EncoderPool
from pipeline.execution.ray.remote_tasks import DeviceFault, Encoded

VECTORS = np.eye(1, 4, dtype=np.float32)


@dataclass(eq=False)
class FakeReference:
    answer: Any = None
    actor: int = 0


@dataclass
class FakeMethod:
    actor: int

    def remote(self, *pixels: object) -> FakeReference:
        return FakeReference(actor=self.actor)


class FakeActor:
    def __init__(self, number: int) -> None:
        self.number = number
        self.encode = self.open = self.preprocessing = FakeMethod(number)


class FakeRay:
    """Its actors answer nothing by themselves: a test sets the `answer` of their references."""

    def __init__(self) -> None:
        self.actors = 0
        self.ended: list[int] = []
        self.left: set[str] = set()

    def remote(self, kind: type) -> Any:
        return self

    def options(self, **options: object) -> Any:
        return SimpleNamespace(remote=self._start)

    def get(self, reference: FakeReference) -> Any:
        if isinstance(reference.answer, Exception):
            raise reference.answer
        return reference.answer

    @property
    def killed(self) -> int:
        return len(self.ended)

    def kill(self, actor: FakeActor) -> None:
        self.ended.append(actor.number)

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": name, "Alive": name not in self.left} for name in ("first", "second")]

    def _start(self, *arguments: object, **keywords: object) -> FakeActor:
        self.actors += 1
        return FakeActor(self.actors)


@dataclass(eq=False)
class FakePart:
    pixels: FakeReference = field(default_factory=FakeReference)
    alone: bool = False
    deaths: int = 0


@pytest.fixture
def fake_ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    ray = FakeRay()
    monkeypatch.setattr(ray_encoders, "ray", ray)
    monkeypatch.setattr(ray_actors, "ray", ray)
    return ray


@pytest.fixture
def pool(fake_ray: FakeRay) -> EncoderPool[FakePart]:
    """One encoder, open."""
    shares = Shares(encoders=1, encoder_cpus=1, encoder_gpus=0, readers=1, reader_cpus=1)
    pool: EncoderPool[FakePart] = EncoderPool(FakeEncoder(), shares, retries=1)
    pool.start()
    open_all(pool)
    return pool


def open_all(pool: EncoderPool[FakePart]) -> None:
    for reference in pool.pending_references():
        pool.collect(reference)


def submitted(pool: EncoderPool[FakePart], *parts: FakePart) -> Any:
    before = set(pool.pending_references())
    member = next(each for each in pool.available() if each.accepts(alone=parts[0].alone))
    pool.submit(parts, member)
    [call] = set(pool.pending_references()) - before
    return call


def collected(pool: EncoderPool[FakePart], call: Any, answer: Any) -> list[Any]:
    call.answer = Encoded(answer, 0.5) if isinstance(answer, list) else answer
    return [result for _, result in pool.collect(call)]


def test_a_call_is_answered_part_by_part(pool):
    call = submitted(pool, FakePart(), FakePart())
    assert collected(pool, call, [VECTORS, Failure("bad")]) == [VECTORS, Failure("bad")]
    assert pool.times.busy_seconds == 0.5


@pytest.mark.parametrize("error", [ActorDiedError(), OutOfMemoryError("no memory left")])
def test_an_encoder_that_died_is_replaced_and_its_frames_are_tried_alone(pool, fake_ray, error):
    call = submitted(pool, FakePart())
    assert collected(pool, call, error) == [None]
    assert fake_ray.actors == 2
    assert not pool.has_room()
    open_all(pool)
    assert pool.has_room()


def test_an_encoder_that_is_replaced_is_ended_once_lest_ray_start_it_again(pool, fake_ray):
    calls = [submitted(pool, FakePart()) for _ in range(2)]
    for call in calls:
        assert collected(pool, call, ActorUnavailableError("its node is gone", None)) == [None]
    assert (fake_ray.actors, fake_ray.ended) == (2, [1])


def test_frames_on_which_an_encoder_dies_again_are_to_blame(pool):
    [failure] = collected(pool, submitted(pool, FakePart(alone=True)), ActorDiedError())
    assert "died on its frames, and again on them alone" in failure.problem


def test_frames_to_be_tried_alone_have_the_encoder_to_themselves(pool):
    suspect = submitted(pool, FakePart(alone=True))
    assert not pool.has_room()
    assert not pool.has_room(alone=True)
    collected(pool, suspect, ActorDiedError())
    open_all(pool)
    submitted(pool, FakePart())
    assert pool.has_room()
    assert not pool.has_room(alone=True)


def test_frames_that_died_in_company_are_tried_again(pool, fake_ray):
    first, second = submitted(pool, FakePart()), submitted(pool, FakePart())
    assert collected(pool, first, ActorDiedError()) == [None]
    assert collected(pool, second, ActorDiedError()) == [None]
    assert fake_ray.actors == 2


def test_encoders_that_die_again_and_again_end_the_batch(pool):
    for _ in range(2):
        collected(pool, submitted(pool, FakePart(alone=True)), ActorDiedError())
        open_all(pool)
    with pytest.raises(ExecutionError, match="3 calls in a row"):
        collected(pool, submitted(pool, FakePart(alone=True)), ActorDiedError())


BROKEN = DeviceFault("CUDA error: device-side assert triggered")


def test_an_encoder_whose_device_broke_is_replaced_and_its_calls_are_done_again(pool, fake_ray):
    first, second = submitted(pool, FakePart(), FakePart()), submitted(pool, FakePart())
    assert collected(pool, first, BROKEN) == [None, None]
    assert collected(pool, second, ActorDiedError()) == [None]
    assert (fake_ray.actors, fake_ray.killed) == (2, 1)


def test_frames_on_which_a_device_breaks_three_times_are_to_blame(pool):
    for deaths in range(2):
        assert collected(pool, submitted(pool, FakePart(alone=deaths > 0, deaths=deaths)), BROKEN) == [None]
        open_all(pool)
    [failure] = collected(pool, submitted(pool, FakePart(alone=True, deaths=2)), BROKEN)
    assert "broke on its frames 3 times, at last on them alone: CUDA error: device-side" in failure.problem


def test_a_device_that_breaks_now_and_then_is_used_on(pool, fake_ray):
    for _ in range(20):
        collected(pool, submitted(pool, FakePart()), BROKEN)
        open_all(pool)
        collected(pool, submitted(pool, FakePart(alone=True, deaths=1)), [VECTORS])
    assert fake_ray.actors == 21


def test_a_device_that_breaks_again_and_again_ends_the_batch(pool, fake_ray):
    for _ in range(5):
        collected(pool, submitted(pool, FakePart()), BROKEN)
        open_all(pool)
    with pytest.raises(ExecutionError, match="broke 6 times in a row"):
        collected(pool, submitted(pool, FakePart()), BROKEN)
    assert fake_ray.actors == 6


def test_an_encoder_that_died_is_no_fault_of_the_device(pool, fake_ray):
    collected(pool, submitted(pool, FakePart()), ActorDiedError())
    for _ in range(5):
        open_all(pool)
        collected(pool, submitted(pool, FakePart(alone=True, deaths=1)), BROKEN)
    open_all(pool)
    with pytest.raises(ExecutionError, match="broke 6 times in a row"):
        collected(pool, submitted(pool, FakePart(alone=True, deaths=1)), BROKEN)


def test_a_device_that_is_broken_already_when_the_model_is_loaded_ends_the_batch_too(pool, fake_ray):
    collected(pool, submitted(pool, FakePart()), BROKEN)
    for _ in range(4):
        [opening] = pool.pending_references()
        opening.answer = BROKEN
        assert pool.collect(opening) == []
    [opening] = pool.pending_references()
    opening.answer = BROKEN
    with pytest.raises(ExecutionError, match="broke 6 times in a row"):
        pool.collect(opening)


def test_a_broken_device_is_given_up_where_there_is_another(fake_ray):
    shares = Shares(encoders=2, encoder_cpus=1, encoder_gpus=1, readers=1, reader_cpus=1)
    pool: EncoderPool[FakePart] = EncoderPool(FakeEncoder(), shares, retries=1)
    pool.start()
    open_all(pool)
    broken, others = 1, 0
    for _ in range(6):
        for call in [submitted(pool, FakePart()) for _ in range(2)]:
            if call.actor == broken:
                assert collected(pool, call, BROKEN) == [None]
            else:
                others += len(collected(pool, call, [VECTORS]))
        broken = fake_ray.actors
        open_all(pool)
    pool.resize(shares)
    assert (fake_ray.actors, fake_ray.killed, others) == (7, 6, 6)
    assert pool.has_room()


ONE = Shares(encoders=1, encoder_cpus=1, encoder_gpus=0, readers=1, reader_cpus=1)
ON_GPU = replace(ONE, encoder_gpus=1)
TWO_GPUS = replace(ON_GPU, encoders=2)
DIED = ActorDiedError()


def test_an_encoder_on_a_processor_works_until_one_on_a_gpu_is_open(pool, fake_ray):
    call = submitted(pool, FakePart())
    pool.resize(ON_GPU)
    [opening] = set(pool.pending_references()) - {call}
    last = submitted(pool, FakePart())
    pool.collect(opening)
    assert {submitted(pool, FakePart()).actor for _ in range(2)} == {2}
    assert (collected(pool, call, [VECTORS]), fake_ray.killed) == ([VECTORS], 0)
    assert (collected(pool, last, [VECTORS]), fake_ray.killed) == ([VECTORS], 1)


def test_an_idle_encoder_on_a_processor_ends_when_one_on_a_gpu_is_open(pool, fake_ray):
    pool.resize(ON_GPU)
    assert fake_ray.killed == 0
    open_all(pool)
    assert (fake_ray.actors, fake_ray.killed) == (2, 1)


def test_where_the_last_gpu_leaves_its_calls_are_done_again_on_processors(fake_ray):
    pool: EncoderPool[FakePart] = EncoderPool(FakeEncoder(), ON_GPU, retries=1)
    pool.start()
    open_all(pool)
    call = submitted(pool, FakePart())
    pool.resize(ONE)
    assert fake_ray.killed == 1
    assert collected(pool, call, DIED) == [None]
    open_all(pool)
    assert (submitted(pool, FakePart()).actor, fake_ray.actors) == (2, 2)


def test_a_gpu_that_leaves_before_its_encoder_is_open_is_not_waited_for(fake_ray):
    pool: EncoderPool[FakePart] = EncoderPool(FakeEncoder(), ON_GPU, retries=1)
    pool.start()
    gone = pool.pending_references()
    pool.resize(ONE)
    assert not set(gone) & set(pool.pending_references())
    open_all(pool)
    assert submitted(pool, FakePart()).actor == 2


@pytest.mark.parametrize(("left", "ended"), [("first", 1), ("second", 2)])
def test_of_two_gpus_the_encoder_of_the_one_that_left_ends(fake_ray, left, ended):
    pool: EncoderPool[FakePart] = EncoderPool(FakeEncoder(), TWO_GPUS, retries=1)
    pool.start()
    for reference, node in zip(pool.pending_references()[1:], ("first", "second"), strict=True):
        reference.answer = node
    open_all(pool)
    calls = {call.actor: call for call in (submitted(pool, FakePart()) for _ in range(2))}
    fake_ray.left.add(left)
    pool.resize(ON_GPU)
    assert (fake_ray.ended, fake_ray.actors) == ([ended], 2)
    assert collected(pool, calls.pop(ended), DIED) == [None]
    assert collected(pool, calls.popitem()[1], [VECTORS]) == [VECTORS]


def test_one_that_waits_for_a_gpu_that_left_ends(fake_ray):
    pool: EncoderPool[FakePart] = EncoderPool(FakeEncoder(), TWO_GPUS, retries=1)
    pool.start()
    asked, first, _ = pool.pending_references()
    first.answer = "first"
    pool.collect(first)
    pool.resize(ON_GPU)
    assert fake_ray.ended == [2]
    assert pool.pending_references() == [asked]


def test_frames_are_not_to_blame_for_an_encoder_that_was_ended(fake_ray):
    pool: EncoderPool[FakePart] = EncoderPool(FakeEncoder(), ON_GPU, retries=1)
    pool.start()
    open_all(pool)
    alone = FakePart(alone=True, deaths=1)
    call = submitted(pool, alone)
    pool.resize(ONE)
    assert collected(pool, call, DIED) == [None]
    assert alone.deaths == 1


def test_a_gpu_that_comes_and_goes_leaves_the_encoder_on_a_processor_at_work(pool, fake_ray):
    call = submitted(pool, FakePart())
    pool.resize(ON_GPU)
    [opening] = set(pool.pending_references()) - {call}
    pool.collect(opening)
    assert pool.nodes == {None}
    pool.resize(ONE)
    assert (fake_ray.ended, submitted(pool, FakePart()).actor) == ([2], 1)


def test_an_encoder_on_a_processor_that_dies_while_a_gpu_is_waited_for_is_replaced(pool, fake_ray):
    call = submitted(pool, FakePart())
    pool.resize(ON_GPU)
    assert collected(pool, call, DIED) == [None]
    assert (fake_ray.actors, fake_ray.ended) == (3, [1])


def test_an_encoder_on_a_processor_that_dies_beside_one_on_a_gpu_is_not_replaced(pool, fake_ray):
    call = submitted(pool, FakePart())
    pool.resize(ON_GPU)
    [opening] = set(pool.pending_references()) - {call}
    pool.collect(opening)
    assert collected(pool, call, DIED) == [None]
    assert (fake_ray.actors, submitted(pool, FakePart()).actor) == (2, 2)


def test_the_preprocessing_is_asked_of_another_where_the_first_was_ended(fake_ray):
    pool: EncoderPool[FakePart] = EncoderPool(FakeEncoder(), ONE, retries=1)
    pool.start()
    pool.resize(ON_GPU)
    opening = pool.pending_references()[-1]
    assert opening.actor == 2
    pool.collect(opening)
    [asked] = pool.pending_references()
    assert (fake_ray.ended, asked.actor) == ([1], 2)


def test_a_broken_device_that_has_left_does_not_count_any_more(fake_ray):
    pool: EncoderPool[FakePart] = EncoderPool(FakeEncoder(), TWO_GPUS, retries=1)
    pool.start()
    open_all(pool)
    for _ in range(6):
        calls = [submitted(pool, FakePart()) for _ in range(2)]
        broken = max(calls, key=lambda call: call.actor)
        for call in calls:
            collected(pool, call, BROKEN if call is broken else [VECTORS])
        open_all(pool)
    fake_ray.left.add("second")
    pool.resize(ON_GPU)
    started = fake_ray.actors
    assert collected(pool, submitted(pool, FakePart()), DIED) == [None]
    assert fake_ray.actors == started + 1


def batch(kept: IdleEncoders, encoder: FakeEncoder, *, answer: object = None) -> None:
    """One batch of a call, which stays unanswered where there is no answer."""
    pool: EncoderPool[FakePart] = EncoderPool(encoder, ONE, 1, kept)
    pool.start()
    open_all(pool)
    call = submitted(pool, FakePart())
    if answer is not None:
        collected(pool, call, answer)
    pool.close()


def test_the_next_batch_has_the_encoders_of_the_one_before(fake_ray):
    kept, encoder = IdleEncoders(), FakeEncoder()
    batch(kept, encoder, answer=[VECTORS])
    batch(kept, encoder, answer=[VECTORS])
    assert (fake_ray.actors, fake_ray.killed) == (1, 0)
    kept.close()
    assert fake_ray.killed == 1


def test_a_batch_with_another_encoder_ends_those_that_are_kept(fake_ray):
    kept = IdleEncoders()
    batch(kept, FakeEncoder(), answer=[VECTORS])
    batch(kept, FakeEncoder(fingerprint="other"), answer=[VECTORS])
    assert (fake_ray.actors, fake_ray.killed) == (2, 1)


def test_of_the_encoders_that_are_kept_a_smaller_batch_ends_those_that_it_does_not_need(fake_ray):
    kept, encoder = IdleEncoders(), FakeEncoder()
    larger: EncoderPool[FakePart] = EncoderPool(encoder, replace(ONE, encoders=3), 1, kept)
    larger.start()
    open_all(larger)
    larger.close()
    assert (fake_ray.actors, fake_ray.ended) == (3, [])
    smaller: EncoderPool[FakePart] = EncoderPool(encoder, ONE, 1, kept)
    smaller.start()
    assert (fake_ray.actors, sorted(fake_ray.ended)) == (3, [2, 3])
    kept.close()
    assert len(fake_ray.ended) == 2


def test_an_encoder_that_still_has_something_to_do_is_not_kept(fake_ray):
    kept, encoder = IdleEncoders(), FakeEncoder()
    batch(kept, encoder)
    batch(kept, encoder, answer=[VECTORS])
    assert (fake_ray.actors, fake_ray.killed) == (2, 1)


def test_a_pool_that_is_closed_twice_ends_its_encoders_once(pool, fake_ray):
    pool.close()
    pool.close()
    assert fake_ray.ended == [1]


def test_a_device_that_broke_is_logged_with_its_reason(pool, caplog):
    with caplog.at_level(logging.WARNING, logger="pipeline"):
        collected(pool, submitted(pool, FakePart()), BROKEN)
    assert f"1 times in a row: {BROKEN.problem}" in caplog.text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("The actor died.\nIts log follows.\nMore.", "The actor died"),
        ("The creation task failed.\n  File x\nValueError: no model.", "ValueError: no model"),
        ("one", "one"),
        (" \n", "RayError"),
    ],
)
def test_of_an_error_of_ray_the_line_with_the_reason_is_told(text, line):
    assert line_of(RayError(text)) == line
