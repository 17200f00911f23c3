"""Submit batches of frames to encoder actors, and collect their embeddings in the driver."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError

from pipeline.encode.protocol import Encoder, Preprocessing
from pipeline.errors import ExecutionError
from pipeline.execution.model_task import ModelTask
from pipeline.execution.per_video.messages import Failure, Lost, Vectors
from pipeline.execution.progress import EncoderTimes
from pipeline.execution.ray.cluster import Shares
from pipeline.execution.ray.encoder_actors import EncoderActor, EncoderActors, IdleEncoders, line_of, own_error
from pipeline.execution.ray.remote_tasks import DeviceFault

__all__ = ["EncoderPool", "HasPixels"]

_log = logging.getLogger(__name__)

_MAX_DEATHS = 3
# Frames are blamed for a fault of the device only after several, since the device itself may be faulty.
_MAX_FRAME_FAULTS = 3


class HasPixels(Protocol):
    """A batch of frames to be encoded."""

    @property
    def pixels(self) -> Any:
        """Reference of its uint8 (N, H, W, 3) in Ray's store."""

    @property
    def alone(self) -> bool:
        """Whether the batch must have a call to itself, since an encoder died in a call with it."""

    deaths: int
    """How often that has happened."""


P = TypeVar("P", bound=HasPixels)


@dataclass
class _Call(Generic[P]):
    actor: EncoderActor
    batches: list[P]


class EncoderPool(Generic[P]):
    """Hands batches to encoders, and finds out which frames are to blame if an encoder dies or its device breaks.

    Results are awaited on `pending_references`; each one that is ready is passed to `collect`.

    Args:
        encoder: The encoder that the actors open.
        shares: Number of encoders, and the resources of each.
        retries: How often Ray restarts an encoder by itself.
        idle: Provides encoders of the batch before, and stores them for the next batch.
    """

    def __init__(self, encoder: Encoder, shares: Shares, retries: int, idle: IdleEncoders | None = None) -> None:
        self._actors = EncoderActors(encoder, shares, retries, idle)
        self._calls: dict[Any, _Call[P]] = {}
        self._deaths = 0
        self._busy_seconds = 0.0

    def start(self) -> None:
        """Start the encoders; starting twice changes nothing."""
        self._actors.start()

    def resize(self, shares: Shares) -> None:
        """Start the encoders that now fit a cluster whose size has changed; working encoders are not ended.

        Calls of encoders whose GPU has left fail as if the encoder had died, but no frames are blamed.
        """
        self._actors.resize(shares)

    def close(self) -> None:
        """End the encoders' processes, or store them for the next batch."""
        self._actors.close()

    @property
    def preprocessing(self) -> Preprocessing | None:
        """The encoder's preprocessing, once an encoder has returned it."""
        return self._actors.preprocessing

    def pending_references(self) -> list[Any]:
        """Return the references of results that have not been collected."""
        return [*self._calls, *self._actors.pending_references()]

    @property
    def times(self) -> EncoderTimes:
        """Time that the encoders have spent so far; loading includes the start of the process."""
        return EncoderTimes(load_seconds=self._actors.load_seconds, busy_seconds=self._busy_seconds)

    @property
    def is_busy(self) -> bool:
        """Whether any encoder has a call."""
        return bool(self._calls)

    @property
    def open_count(self) -> int:
        """Number of encoders that accept calls, now or later; at least 1."""
        return max(1, len(self._actors.open))

    @property
    def nodes(self) -> frozenset[str | None]:
        """The nodes with an encoder that accepts calls."""
        return frozenset(actor.node_id for actor in self._actors.open)

    def run(self, task: ModelTask) -> None:
        """Do a task on the model of an encoder that is open; if its process fails, that is only logged."""
        actor = next(iter(self._actors.open), None)
        if actor is None:
            return
        try:
            result = ray.get(actor.handle.run.remote(task.work))
        except RayError as error:
            problem = own_error(error) if isinstance(error, RayTaskError) else line_of(error)
            _log.warning("a task on the model was not done: %s", problem)
            return
        task.take(result)

    def available(self) -> list[EncoderActor]:
        """Return the encoders that accept another call, those with the fewest calls first."""
        return sorted((actor for actor in self._actors if actor.accepts(alone=False)), key=lambda actor: actor.calls)

    def has_room(self, *, alone: bool = False) -> bool:
        """Whether an encoder accepts another call now, or one that must be alone."""
        return any(actor.accepts(alone=alone) for actor in self._actors)

    def submit(self, batches: Sequence[P], actor: EncoderActor) -> None:
        """Encode batches in one call of an encoder that accepts it."""
        alone = batches[0].alone
        call = actor.handle.encode.remote(*(batch.pixels for batch in batches))
        actor.calls += 1
        actor.is_reserved = alone
        self._calls[call] = _Call(actor, list(batches))

    def collect(self, reference: Any) -> list[tuple[P, Vectors | Failure | Lost | None]]:
        """Collect a result that is ready: each batch with its vectors, its failure, or None if it must be retried.

        The death count of a batch whose encoder died is increased; a batch whose pixels were lost is `Lost`.

        Raises:
            MomentseekError: The model cannot be used.
            ExecutionError: Encoders die again and again.
        """
        if reference in self._calls:
            return self._encoded(reference)
        self._actors.collect(reference)
        return []

    def _encoded(self, reference: Any) -> list[tuple[P, Vectors | Failure | Lost | None]]:
        call = self._calls.pop(reference)
        call.actor.calls -= 1
        call.actor.is_reserved = False
        try:
            answer = ray.get(reference)
        except (RayActorError, OutOfMemoryError) as error:
            # Ray has a separate error for an actor that it stopped because memory ran out.
            return self._after_death(call, error)
        except RayTaskError as error:
            if not isinstance(error.cause, RayError):
                raise own_error(error) from error
            return self._lost(call, error.cause)
        except RayError as error:
            return self._lost(call, error)
        if isinstance(answer, DeviceFault):
            return self._after_fault(call, answer.problem)
        self._deaths = call.actor.faults = 0
        # Ray may have restarted the actor on another node.
        call.actor.node_id = answer.node_id
        self._busy_seconds += answer.busy_seconds
        self._actors.release_others()
        return list(zip(call.batches, answer.results, strict=True))

    def _after_fault(self, call: _Call[P], problem: str) -> list[tuple[P, Vectors | Failure | Lost | None]]:
        """Replace an actor whose device broke, and retry its batches."""
        self._actors.replace_broken(call.actor, problem)
        if call.batches[0].deaths + 1 < _MAX_FRAME_FAULTS:
            return _to_retry_alone(call.batches)
        reason = f"the encoder's device broke on its frames {_MAX_FRAME_FAULTS} times, at last on them alone: {problem}"
        return [(call.batches[0], Failure(reason))]

    def _lost(self, call: _Call[P], error: RayError) -> list[tuple[P, Vectors | Failure | Lost | None]]:
        lost = Lost(f"its frames were lost on their way to the encoder ({line_of(error)})")
        return [(batch, lost) for batch in call.batches]

    def _after_death(self, call: _Call[P], error: RayError) -> list[tuple[P, Vectors | Failure | Lost | None]]:
        """Replace an actor that died; frames are blamed only if an encoder dies again, on them alone.

        If the actor was ended by this process, its frames are not to blame.
        """
        if call.actor.is_ended:
            return [(batch, None) for batch in call.batches]
        self._actors.replace_dead(call.actor)
        if not call.batches[0].alone:
            return _to_retry_alone(call.batches)
        self._deaths += 1
        problem = f"the encoder's process died on its frames, and again on them alone ({line_of(error)})"
        if self._deaths >= _MAX_DEATHS:
            raise ExecutionError(f"{problem}, {self._deaths} calls in a row; it may need more memory")
        return [(call.batches[0], Failure(problem))]


def _to_retry_alone(batches: Sequence[P]) -> list[tuple[P, Vectors | Failure | Lost | None]]:
    """Mark batches to be retried one by one, since an encoder died in a call with them."""
    for batch in batches:
        batch.deaths += 1
    return [(batch, None) for batch in batches]
